/**
 * Serves folders and files of this machine over HTTP, with ranges, with what was compressed before where it lies beside a file, and with no special
 * headers.
 * Plain on purpose: what works here works from any static file server.
 */
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, resolve, sep } from "node:path";
import { Failure, script } from "./run.mjs";

/** @type {Record<string, string>} */
const types = {
  ".css": "text/css; charset=utf-8",
  ".csv": "text/csv; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".jsonl": "application/jsonl",
  ".map": "application/json",
  ".mjs": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".tsv": "text/tab-separated-values; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
};

/**
 * @typedef {object} ServerOptions
 * @property {Record<string, string | string[]>} mounts address prefix (a folder's ends with a slash) to a folder or file on disk; of several
 * folders the first one that has the file. May be changed while it is served.
 * @property {number} [port] 0 (default) takes any free one
 * @property {boolean} [fallForward] try the next ports where this one is taken
 * @property {(path: string) => Promise<unknown> | undefined} [ready] what the answer for an address waits for; it must not fail
 */

/**
 * @param {ServerOptions} options
 * @returns {Promise<{ origin: string, port: number, close: () => Promise<void> }>}
 */
export async function serve({ mounts, port = 0, fallForward = false, ready = () => undefined }) {
  const server = createServer(async (request, response) => {
    try {
      await ready(request.url ?? "/");
      answer(mounts, request, response);
    } catch (error) {
      response.writeHead(500, { "content-type": "text/plain" }).end(`${error}`);
    }
  });
  const taken = await listen(server, port, fallForward ? 20 : 1);
  return {
    origin: `http://localhost:${taken}`,
    port: taken,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** @param {import("node:http").Server} server @param {number} port @param {number} tries @returns {Promise<number>} */
async function listen(server, port, tries) {
  for (let at = port; ; at += 1) {
    try {
      await new Promise((done, fail) => {
        server.once("error", fail);
        // The name rather than a number: browsers treat localhost as secure whichever protocol it resolves to.
        server.listen(at, "localhost", () => done(undefined));
      });
      const address = server.address();
      return address && typeof address === "object" ? address.port : at;
    } catch (error) {
      const code = /** @type {NodeJS.ErrnoException} */ (error).code;
      if (code !== "EADDRINUSE") throw error;
      if (at + 1 >= port + tries || port === 0) throw new Failure(`port ${at} is taken; choose another with --port`);
    }
  }
}

/** @param {ServerOptions["mounts"]} mounts @param {string} path @returns {string | undefined} a file on disk */
function find(mounts, path) {
  const fits = (/** @type {string} */ prefix) => (prefix.endsWith("/") ? path.startsWith(prefix) : path === prefix);
  // The longest prefix wins, so that a mount may sit inside another.
  const [prefix] = Object.keys(mounts)
    .filter(fits)
    .sort((a, b) => b.length - a.length);
  if (prefix === undefined) return undefined;
  const files = [mounts[prefix] ?? []].flat().map((target) => inside(resolve(target), path.slice(prefix.length)));
  return files.find((file) => file && stat(file)) ?? files[0];
}

/** @param {string} target @param {string} rest @returns {string | undefined} */
function inside(target, rest) {
  const file = rest === "" ? target : join(target, rest);
  // A path may not climb out of its folder.
  return file === target || file.startsWith(target + sep) ? file : undefined;
}

/** @param {string} path @returns {import("node:fs").Stats | undefined} */
const stat = (path) => statSync(path, { throwIfNoEntry: false });

/**
 * @param {ServerOptions["mounts"]} mounts
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 */
function answer(mounts, request, response) {
  const refuse = (/** @type {number} */ status, /** @type {string} */ reason, headers = {}) =>
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...headers }).end(reason);
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, "only GET and HEAD");
  let path;
  try {
    path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
  } catch {
    return refuse(400, "the address cannot be read");
  }
  let file = path.includes("\0") ? undefined : find(mounts, path);
  if (file && stat(file)?.isDirectory()) {
    if (!path.endsWith("/")) return refuse(301, "", { location: `${path}/` });
    file = join(file, "index.html");
  }
  const found = file ? stat(file) : undefined;
  if (!file || !found?.isFile()) return refuse(404, `${path}: not found`);

  const type = types[extname(file)] ?? "application/octet-stream";
  const headers = {
    "content-type": type,
    "accept-ranges": "bytes",
    "last-modified": found.mtime.toUTCString(),
    "cache-control": "no-cache",
  };
  const range = readRange(request.headers.range, found.size);
  if (range === "unsatisfiable") return refuse(416, "", { "content-range": `bytes */${found.size}` });
  if (!range && request.headers["if-modified-since"] === headers["last-modified"]) {
    return response.writeHead(304, headers).end();
  }
  const small = range ? undefined : compressed(file, found.mtimeMs, request.headers["accept-encoding"]);
  if (small) return send(request, response, small.file, { ...headers, ...small.headers }, small.size);
  const { start, end } = range ?? { start: 0, end: found.size - 1 };
  /** @type {Record<string, string>} */
  const part = range ? { "content-range": `bytes ${start}-${end}/${found.size}` } : {};
  const status = range ? 206 : 200;
  return send(request, response, file, { ...headers, ...part }, end - start + 1, { status, start });
}

/**
 * @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response
 * @param {string} file @param {Record<string, string>} headers @param {number} length
 * @param {{ status: number, start: number }} [part]
 */
function send(request, response, file, headers, length, { status, start } = { status: 200, start: 0 }) {
  response.writeHead(status, { ...headers, "content-length": length });
  if (request.method === "HEAD" || length === 0) return response.end();
  createReadStream(file, { start, end: start + length - 1 })
    // The status line is already sent: cutting the connection is the only way left to say so.
    .once("error", () => response.destroy())
    .pipe(response);
  return response;
}

/** Names of encodings and the ends of files that are in them, the smallest first. */
const ENCODINGS = [
  ["br", ".br"],
  ["gzip", ".gz"],
];

/**
 * What lies beside a file in an encoding that the browser takes, unless the file has changed since.
 * @param {string} file @param {number} changed @param {string | string[] | undefined} accepted
 */
function compressed(file, changed, accepted) {
  const words = `${accepted ?? ""}`.split(",").map((word) => word.split(";")[0]?.trim());
  for (const [encoding, end] of ENCODINGS) {
    const found = words.includes(encoding) ? stat(`${file}${end}`) : undefined;
    if (found?.isFile() && found.mtimeMs >= changed) {
      const headers = { "content-encoding": `${encoding}`, vary: "accept-encoding" };
      return { file: `${file}${end}`, size: found.size, headers };
    }
  }
  return undefined;
}

/**
 * One range, as RFC 9110 writes it; undefined where none was asked for or it cannot be read (which means: send all).
 * @param {string | undefined} header
 * @param {number} size
 * @returns {{ start: number, end: number } | "unsatisfiable" | undefined}
 */
export function readRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  const last = size - 1;
  if (match[1] === "") {
    const length = Number(match[2]);
    return length === 0 || size === 0 ? "unsatisfiable" : { start: Math.max(0, size - length), end: last };
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? last : Math.min(Number(match[2]), last);
  if (start > last) return "unsatisfiable";
  return start > end ? undefined : { start, end };
}

script(import.meta.url, async () => {
  const [folder = "dist", port = "8080"] = process.argv.slice(2);
  const { origin } = await serve({ mounts: { "/": folder }, port: Number(port), fallForward: true });
  process.stdout.write(`${folder} is served on ${origin}/\n`);
});
