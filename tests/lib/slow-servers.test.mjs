/**
 * Servers that hang, never end, lie about sizes, or change a file while it is read: each ends in an error that says so.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, afterEach, test } from "node:test";
import { load, removeBuild } from "./package-under-test.mjs";

const { openSource } = await load("sources/open");
const { loadFrom, readConfig } = await load("sources/load");
const { WebtuneError } = await load("errors");

const patience = { retries: 1, firstDelayMs: 1, stallMs: 100 };
let server;
after(removeBuild);
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A folder in which `answer` gives one file in its own way, and the rest is as it should be. */
async function folderWhere(name, answer) {
  server = createServer((request, response) => {
    const path = request.url.split("/").at(-1);
    if (path === name) answer(request, response);
    else if (path === "config.json" || path === "tokenizer.json") give(request, response, Buffer.from("{}"));
    else if (path === "model.safetensors") give(request, response, Buffer.alloc(1000, 7));
    else response.writeHead(404).end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/m/` };
}

/** A range of a file, as a good server sends it. */
function give(request, response, whole, headers = {}) {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range);
  const part = whole.subarray(Number(first), last === "" ? whole.length : Number(last) + 1);
  const range = `bytes ${first}-${Number(first) + part.length - 1}/${whole.length}`;
  response.writeHead(206, { "content-range": range, "content-length": part.length, ...headers }).end(part);
}

async function read(source, name, ranges = [[0, undefined]]) {
  const { files } = await openSource(source, () => undefined, { optional: [], patience });
  const file = files.find(({ path }) => path === name);
  for (const [offset, length] of ranges) await file.read(offset, length ?? file.size);
}

const rejects = (promise, code, message) => assert.rejects(promise, { name: "WebtuneError", code, message });

test("a server that says nothing is given up after a while", async () => {
  const source = await folderWhere("config.json", () => undefined);
  await rejects(
    read(source, "config.json"),
    "readFailed",
    /config\.json.*sent nothing for 0\.1 s, after 1 more attempts/,
  );
});

test("a body that comes to a halt is given up after a while", async () => {
  const source = await folderWhere("model.safetensors", (request, response) => {
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range);
    if (last === "15") return give(request, response, Buffer.alloc(1000));
    response.writeHead(206, { "content-range": `bytes ${first}-999/1000` }).write(Buffer.alloc(10));
  });
  await rejects(read(source, "model.safetensors"), "readFailed", /got \d+ of the 1000 bytes.*sent nothing for 0\.1 s/);
});

for (const [name, most] of [
  ["config.json", 1],
  ["tokenizer.json", 64],
]) {
  test(`a ${name} without an end is left after ${most} MB`, async () => {
    let sent = 0;
    const source = await folderWhere(name, (_request, response) => {
      response.writeHead(200);
      const more = () => {
        if (response.destroyed) return;
        sent += 65_536;
        response.write(Buffer.alloc(65_536, 32), () => setImmediate(more));
      };
      more();
    });
    await rejects(read(source, name), "invalidFile", new RegExp(`expected at most ${most} MB.*sends more`));
    assert.ok(sent < most * 1e6 + 8e6, `${sent} bytes were sent`);
  });
}

test("a file that is said to be too large is not read", async () => {
  let asked = 0;
  const source = await folderWhere("config.json", (_request, response) => {
    asked += 1;
    const headers = { "content-range": "bytes 0-15/3000000000", "content-length": 16 };
    response.writeHead(206, headers).end(Buffer.alloc(16, 32));
  });
  await rejects(read(source, "config.json"), "invalidFile", /at most 1 MB.*found 3000000000 bytes/);
  assert.equal(asked, 1);
});

/** What the second and later answers differ in. */
const CHANGES = {
  ETag: [{ etag: '"one"' }, { etag: '"two"' }],
  date: [{ "last-modified": "Fri, 27 Nov 2026 08:00:00 GMT" }, { "last-modified": "Sat, 28 Nov 2026 08:00:00 GMT" }],
  size: [{}, {}],
};
for (const [what, [before, now]] of Object.entries(CHANGES)) {
  test(`a file whose ${what} changes between two ranges is not mixed`, async () => {
    let answers = 0;
    const source = await folderWhere("model.safetensors", (request, response) => {
      answers += 1;
      const isNew = answers > 2;
      give(request, response, Buffer.alloc(isNew && what === "size" ? 1001 : 1000), isNew ? now : before);
    });
    const ranges = [
      [0, 100],
      [100, 100],
    ];
    await rejects(
      read(source, "model.safetensors", ranges),
      "readFailed",
      new RegExp(`model\\.safetensors: it changed on the server while it was read \\(its ${what} was .* and is `),
    );
  });
}

test("a part that begins elsewhere, or that nobody says where it begins, is not believed", async () => {
  const shifted = await folderWhere("model.safetensors", (request, response) => {
    if (request.headers.range === "bytes=0-15") return give(request, response, Buffer.alloc(1000));
    const headers = { "content-range": "bytes 50-149/1000", "content-length": 100 };
    response.writeHead(206, headers).end(Buffer.alloc(100));
  });
  await rejects(read(shifted, "model.safetensors", [[100, 100]]), "readFailed", /asked for byte 100 and sent byte 50/);
  server.close();
  const ranges = [];
  const hidden = await folderWhere("model.safetensors", (request, response) => {
    ranges.push(request.headers.range);
    if (request.headers.range === "bytes=0-15") return give(request, response, Buffer.alloc(1000));
    const [, first] = /^bytes=(\d+)-/.exec(request.headers.range);
    response.writeHead(206, { "content-length": 1000 - Number(first) }).end(Buffer.alloc(1000 - Number(first)));
  });
  await read(hidden, "model.safetensors", [[100, 100]]);
  assert.deepEqual(ranges, ["bytes=0-15", "bytes=100-199", "bytes=0-"]);
});

test("a file's error keeps its code on its way through the engine", async () => {
  const source = await folderWhere("config.json", (_request, response) => {
    response.writeHead(206, { "content-range": "bytes 0-15/3000000", "content-length": 16 }).end(Buffer.alloc(16));
  });
  const parts = { keep: false, optional: [], onBytes: () => undefined, notify: () => undefined };
  const engine = async ({ files }) => {
    const config = files.find(({ path }) => path === "config.json");
    await config.read(0, config.size).catch(({ message }) => {
      throw new WebtuneError("readFailed", `config.json: ${message}`);
    });
  };
  await rejects(loadFrom(source, parts, engine), "invalidFile", /^config\.json: expected at most 1 MB/);
  const other = async () => {
    throw new WebtuneError("outOfMemory", "too much");
  };
  await rejects(loadFrom(source, parts, other), "outOfMemory", /too much/);
  await rejects(
    readConfig(source, () => undefined),
    "invalidFile",
    /at most 1 MB/,
  );
});
