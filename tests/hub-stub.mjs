/**
 * Serves folders on disk, named as repositories, the way the Hugging Face hub does.
 * File requests are redirected to a second port, as the hub redirects to its storage on another origin.
 */
import { createHash } from "node:crypto";
import { open, readdir, readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { join, sep } from "node:path";

/** @type {Record<string, string>} */
const TYPES = { json: "application/json", txt: "text/plain", md: "text/markdown" };
/** Transfers this short are probes, and are never cut. */
const PROBE_BYTES = 16;

/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */
/** @typedef {{ path: string, size: number, modified: number }} Found */
/** @typedef {[status: number, code: string, message: string]} Refusal */

/**
 * @typedef {object} HubStubOptions
 * @property {Record<string, string>} repositories Repository id to folder.
 * @property {string[]} [privateRepositories] Ids that need the token: 401 without, 403 with a wrong one.
 * @property {string} [token] The token that opens them; default `hf_stub`.
 * @property {number} [cutFirst] This many transfers end half way with a closed connection; default 0.
 * @property {string} [cutPath] Only files whose path ends so are cut; default all.
 * @property {boolean} [ranges] False answers 200 with the whole body to range requests; default true.
 * @property {boolean} [htmlFallback] Unknown files are answered by an HTML page with 200; default false.
 * @property {string} [slowPath] Files whose path ends so are answered 100 ms late; default none.
 * @property {boolean} [exposeHeaders] False hides `content-range` from other origins, as many servers do; default true.
 * @property {number} [pageSize] Entries on a page of the file list; default 1000.
 */

/**
 * Starts both ports. The returned `options` may be changed between requests; `requests` lists what came in.
 *
 * @param {HubStubOptions} given
 */
export async function startHubStub(given) {
  /** @type {Required<HubStubOptions>} */
  const options = {
    privateRepositories: [],
    token: "hf_stub",
    cutFirst: 0,
    cutPath: "",
    ranges: true,
    htmlFallback: false,
    slowPath: "",
    exposeHeaders: true,
    pageSize: 1000,
    ...given,
  };
  /** @type {{method: string | undefined, host: "hub" | "storage", path: string, range: string | undefined, token: boolean}[]} */
  const requests = [];

  const storage = await listen(async (request, response) => {
    record("storage", request);
    if (cors(request, response)) return;
    const path = pathOf(request).slice(1);
    const id = Object.keys(options.repositories).find((name) => path.startsWith(`${name}/`));
    const file = id && (await locate(folderOf(id), path.slice(id.length + 1)));
    if (!file) return plain(response, 404, "Not Found");
    await send(request, response, file, path);
  });

  const hub = await listen(async (request, response) => {
    record("hub", request);
    if (cors(request, response)) return;
    const path = pathOf(request);
    if (options.slowPath && path.endsWith(options.slowPath)) await new Promise((resolve) => setTimeout(resolve, 100));
    const tree = /^\/api\/models\/(.+?)\/tree\/([^/]+)$/.exec(path);
    const about = /^\/api\/models\/(.+?)\/revision\/([^/]+)$/.exec(path);
    const resolve = /^\/(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    const [id, revision, wanted] = (tree ?? about ?? resolve)?.slice(1) ?? [];
    if (!id) return plain(response, 404, "Not Found");
    const refused = refusal(id, request.headers.authorization);
    if (refused) return refuse(response, ...refused);
    const commit = await commitOf(folderOf(id));
    if (revision !== "main" && revision !== commit) {
      return refuse(response, 404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    }
    if (about) {
      const answer = { _id: id, id, sha: commit, private: false, gated: false, downloads: 0, likes: 0 };
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
      return;
    }
    if (wanted === undefined) return list(request, response, id);
    const file = await locate(folderOf(id), wanted);
    if (file) {
      response.writeHead(302, { location: `${storage.url}/${id}/${wanted}?signature=stub`, ...etag(file) }).end();
    } else if (options.htmlFallback) {
      response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>page</title>");
    } else {
      refuse(response, 404, "EntryNotFound", "Entry not found");
    }
  });

  /** @param {string} id */
  function folderOf(id) {
    const folder = options.repositories[id];
    if (folder === undefined) throw new Error(`expected one of the stub's repositories, found ${id}`);
    return folder;
  }

  /** @param {"hub" | "storage"} host @param {Request} request */
  function record(host, request) {
    requests.push({
      method: request.method,
      host,
      path: pathOf(request),
      range: request.headers.range,
      token: request.headers.authorization !== undefined,
    });
  }

  /**
   * Answers preflights; other answers get the headers that let a page read them.
   * @param {Request} request
   * @param {Response} response
   */
  function cors(request, response) {
    response.setHeader("access-control-allow-origin", "*");
    if (options.exposeHeaders) {
      response.setHeader("access-control-expose-headers", "content-range, etag, link, x-error-code, x-error-message");
    }
    if (request.method !== "OPTIONS") return false;
    response
      .writeHead(204, {
        "access-control-allow-headers": "authorization, range, accept",
        "access-control-max-age": "60",
      })
      .end();
    return true;
  }

  /** @param {string} id @param {string | undefined} authorization @returns {Refusal | undefined} */
  function refusal(id, authorization) {
    const known = Object.hasOwn(options.repositories, id);
    const token = authorization?.replace(/^Bearer /, "");
    if (!known)
      return token
        ? [404, "RepoNotFound", "Repository not found"]
        : [401, "RepoNotFound", "Invalid username or password."];
    if (!options.privateRepositories.includes(id) || token === options.token) return undefined;
    return token
      ? [403, "GatedRepo", "Access to this repository is restricted"]
      : [401, "GatedRepo", "Access is restricted"];
  }

  /** @param {Request} request @param {Response} response @param {string} id */
  async function list(request, response, id) {
    const files = await walk(folderOf(id));
    const query = new URL(request.url ?? "", hub.url).searchParams;
    const start = Number(query.get("cursor") ?? 0);
    const page = files.slice(start, start + options.pageSize);
    /** @type {Record<string, string>} */
    const headers = { "content-type": "application/json; charset=utf-8" };
    if (start + options.pageSize < files.length) {
      query.set("cursor", String(start + options.pageSize));
      headers.link = `<${hub.url}${pathOf(request)}?${query}>; rel="next"`;
    }
    response.writeHead(200, headers).end(JSON.stringify(page));
  }

  /** @param {Request} request @param {Response} response @param {Found} file @param {string} path */
  async function send(request, response, file, path) {
    const extension = path.slice(path.lastIndexOf(".") + 1);
    /** @type {Record<string, string>} */
    const headers = { "content-type": TYPES[extension] ?? "application/octet-stream", ...etag(file) };
    const range = options.ranges ? /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") : null;
    let start = 0;
    let end = file.size;
    if (range) {
      start = Number(range[1]);
      end = range[2] === "" ? file.size : Math.min(file.size, Number(range[2]) + 1);
      if (start >= file.size) {
        response.writeHead(416, { "content-range": `bytes */${file.size}` }).end();
        return;
      }
      headers["content-range"] = `bytes ${start}-${end - 1}/${file.size}`;
    }
    headers["content-length"] = String(end - start);
    response.writeHead(range ? 206 : 200, headers);
    if (request.method === "HEAD") {
      response.end();
      return;
    }
    const body = await readPart(file.path, start, end);
    if (options.cutFirst > 0 && body.length > PROBE_BYTES && path.endsWith(options.cutPath)) {
      options.cutFirst -= 1;
      // The half must be on its way before the connection goes.
      response.write(body.subarray(0, body.length >> 1), () => setTimeout(() => response.destroy(), 20));
      return;
    }
    response.end(body);
  }

  return {
    url: hub.url,
    storageUrl: storage.url,
    requests,
    options,
    close: () => Promise.all([hub.close(), storage.close()]).then(() => undefined),
  };
}

/** @param {(request: Request, response: Response) => Promise<void>} handle */
async function listen(handle) {
  const server = createServer((request, response) => {
    handle(request, response).catch((error) => {
      if (!response.headersSent) plain(response, 500, String(error));
      else response.destroy();
    });
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(undefined));
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error(`expected a port, found ${address}`);
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

/** @param {Request} request */
function pathOf(request) {
  return decodeURIComponent(request.url?.split("?")[0] ?? "");
}

/** @param {Response} response @param {number} status @param {string} text */
function plain(response, status, text) {
  response.writeHead(status, { "content-type": "text/plain" }).end(text);
}

/** @param {Response} response @param {Refusal} refusal */
function refuse(response, ...[status, code, message]) {
  response
    .writeHead(status, { "content-type": "application/json", "x-error-code": code, "x-error-message": message })
    .end(JSON.stringify({ error: message }));
}

/** @param {Found} file */
function etag(file) {
  return { etag: `"${file.size}-${file.modified}"` };
}

/**
 * A file inside the folder, never one outside it.
 * @param {string} folder
 * @param {string} path
 * @returns {Promise<Found | undefined>}
 */
async function locate(folder, path) {
  if (path.split("/").includes("..")) return undefined;
  const full = join(folder, path);
  const info = await stat(full).catch((error) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  });
  return info?.isFile() ? { path: full, size: info.size, modified: Math.trunc(info.mtimeMs) } : undefined;
}

/** @param {string} path @param {number} start @param {number} end */
async function readPart(path, start, end) {
  const handle = await open(path);
  try {
    const body = Buffer.alloc(end - start);
    await handle.read(body, 0, body.length, start);
    return body;
  } finally {
    await handle.close();
  }
}

/** Another one after any change. @param {string} folder */
async function commitOf(folder) {
  return createHash("sha1")
    .update(JSON.stringify(await walk(folder)))
    .digest("hex");
}

/** @param {string} folder */
async function walk(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const found = await Promise.all(
    entries.map(async (entry) => {
      const full = join(entry.parentPath ?? entry.path, entry.name);
      const path = full
        .slice(folder.replace(/[/\\]+$/, "").length + 1)
        .split(sep)
        .join("/");
      if (entry.isDirectory()) return { type: "directory", path, size: 0, oid: "0" };
      const content = await readFile(full);
      const oid = createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
      const file = { type: "file", path, size: content.length, oid };
      // Large files are pointed to by a hash of their bytes.
      if (!/\.(safetensors|gguf)$/.test(path)) return file;
      const sha256 = createHash("sha256").update(content).digest("hex");
      return { ...file, lfs: { oid: sha256, size: content.length, pointerSize: 130 } };
    }),
  );
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}
