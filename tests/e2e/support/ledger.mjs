/**
 * A proxy through which a browser's whole traffic goes, and that writes down every request: of pages, workers and service workers, with
 * method, address, body and what its headers say beyond the usual.
 */
import { createServer, request as forward } from "node:http";

/** How long nothing may have been asked for until all has been. */
const QUIET_MS = 400;

/** What browsers send by themselves. A value that does not look so is written down as well. @type {Record<string, RegExp>} */
const USUAL = {
  accept: /^[\w*/;=., +-]+$/,
  "accept-encoding": /^[\w, ]+$/,
  "accept-language": /^[\w,;=. -]+$/,
  "cache-control": /^(no-cache|max-age=0)$/,
  connection: /^[\w-]+$/,
  host: /^[\w.:-]+$/,
  "if-modified-since": /^[\w, :]+$/,
  "if-range": /^("[\w-]+"|[\w, :]+)$/,
  "if-none-match": /^"[\w-]+"$/,
  origin: /^(null|https?:\/\/[\w.:-]+)$/,
  pragma: /^no-cache$/,
  "proxy-connection": /^[\w-]+$/,
  range: /^bytes=\d+-\d*$/,
  "service-worker": /^script$/,
  "upgrade-insecure-requests": /^1$/,
  "user-agent": /^Mozilla\/5\.0 [\w (;)/.,]+$/,
  "access-control-request-headers": /^[\w,-]+$/,
  "access-control-request-method": /^[A-Z]+$/,
  "content-length": /^\d+$/,
};

/** Chromium's own question about forms, with hashes of the names of their fields: a page can neither ask it nor keep it from being asked. */
const BROWSERS_OWN = "content-autofill.googleapis.com:443";

/** @param {import("node:http").IncomingHttpHeaders} headers @param {string} own the page's origin @param {string} to the server's */
function unusual(headers, own, to) {
  return Object.entries(headers)
    .filter(([name, value]) => {
      if (/^sec-(fetch|ch-ua)[\w-]*$/.test(name)) return false;
      // To its own server a service worker names itself.
      if (name === "referer" && to === own && /\/service-worker\.js$/.test(`${value}`)) return false;
      return !USUAL[name]?.test(`${value}`);
    })
    .map(([name, value]) => ` [${name}: ${value}]`)
    .join("");
}

/**
 * @param {string} own origin of the page
 * @param {string} base path of the page
 */
export async function startLedger(own, base) {
  /** @type {Record<string, string>} other origins, by the names that they are given in lines */
  const names = { [own]: "" };
  /** @type {string[]} */
  let lines = [];
  let last = performance.now();
  let open = 0;

  const note = (/** @type {string} */ line) => {
    lines.push(line);
    last = performance.now();
  };
  const shown = (/** @type {URL} */ { origin, pathname, search }) => {
    const path = pathname.startsWith(base) ? `./${pathname.slice(base.length)}` : pathname;
    // Builds change the hash in a name, not the file's part in the page.
    const short = origin === own ? path.replace(/^(\.\/assets\/.+)-[\w-]{8}(\.\w+)$/, "$1-*$2") : pathname;
    return `${names[origin] ?? origin}${short}${search}`;
  };

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "");
    open += 1;
    response.once("close", () => {
      open -= 1;
      last = performance.now();
    });
    /** @type {Buffer[]} */
    const body = [];
    request.on("data", (chunk) => body.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(body).toString();
      const headers = unusual(request.headers, own, url.origin);
      note(`${request.method} ${shown(url)}${headers}${text && ` {${text}}`}`);
      const to = forward(url, { method: request.method, headers: request.headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
        answer.once("error", () => response.destroy());
      });
      to.once("error", () => response.destroy());
      to.end(Buffer.concat(body));
    });
  });
  // Encrypted connections and WebSockets: where they go is all that can be seen, and nothing here needs them.
  server.on("connect", (request, socket) => {
    if (request.url !== BROWSERS_OWN) note(`CONNECT ${request.url}`);
    socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", () => done(undefined)));
  // A test that fails does not wait for it.
  server.unref();
  const address = server.address();
  if (!address || typeof address === "string") throw new Error(`expected a port, found ${address}`);

  return {
    /** As Playwright's contexts take it; without the second part requests to this machine would go past. */
    proxy: { server: `http://127.0.0.1:${address.port}`, bypass: "<-loopback>" },
    /** @param {string} origin @param {string} name */
    call(origin, name) {
      names[origin] = name;
    },
    note,
    /** Waits until nothing is asked for any more; gives each different request since the last call. */
    async take() {
      while (open > 0 || performance.now() - last < QUIET_MS) await new Promise((done) => setTimeout(done, 50));
      const taken = [...new Set(lines)].sort();
      lines = [];
      return taken;
    },
    close: () =>
      new Promise((done) => {
        server.close(() => done(undefined));
        server.closeAllConnections();
      }),
  };
}
