/**
 * Models that are kept: the second load needs no network, a cut download goes on, nothing is mixed, lost or told to others.
 */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { startHubStub } from "../hub-stub.mjs";
import { installStorage } from "./fake-opfs.mjs";
import { load, removeBuild } from "./package-under-test.mjs";

const { LANGUAGE_FILES, openSource } = await load("sources/open");
const { readConfig } = await load("sources/load");
const { KeptFolder } = await load("sources/kept-folder");
const { keptModels, removeKeptModel } = await load("sources/kept-models");

const WEIGHTS = "model.safetensors";
const weights = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
const others = Uint8Array.from({ length: 100_000 }, (_, index) => index % 241);
const patience = { retries: 1, firstDelayMs: 1, stallMs: 20_000 };
let folder;
let stub;
let disk;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "webtune-kept-"));
});
after(async () => {
  await rm(folder, { recursive: true });
  await removeBuild();
});
beforeEach(async () => {
  disk = installStorage();
  await put("config.json", "{}");
  await put("tokenizer.json", '{"model":{}}');
  await put(WEIGHTS, weights);
  stub = await startHubStub({ repositories: { "owner/mini": folder } });
});
afterEach(async () => {
  await stub.close();
  disk.uninstall();
});

async function put(path, content) {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}

const repository = (more = {}) => ({ repository: "owner/mini", hubUrl: stub.url, ...more });
const address = (query = "") => ({ url: `${stub.storageUrl}/owner/mini/${query}` });
const rejects = (promise, code, message) => assert.rejects(promise, { name: "WebtuneError", code, message });
/** Bodies that the stub was asked for. */
const whole = (path) =>
  stub.requests.filter((one) => one.host === "storage" && one.path.endsWith(path) && /^bytes=\d+-$/.test(one.range));

/** What a worker does with a source, but for the engine. */
async function loadAll(source, { optional, read = (file) => file.read(0, file.size) } = {}) {
  const notices = [];
  const notify = (notice) => notices.push(notice);
  const kept = await KeptFolder.open(source, notify);
  try {
    const { name, files } = await openSource(source, () => undefined, { optional, kept, notify, patience });
    const bytes = new Map();
    for (const file of files) bytes.set(file.path, await read(file));
    await kept?.finish();
    return { name, bytes, notices };
  } finally {
    await kept?.close();
  }
}

for (const [kind, source] of [
  ["repository", repository],
  ["address", address],
]) {
  test(`${kind}: the second load fetches nothing, and needs no server`, async () => {
    const first = await loadAll(source());
    assert.deepEqual(first.bytes.get(WEIGHTS), weights);
    assert.deepEqual(first.notices, []);
    assert.equal(whole(WEIGHTS).length, 1);
    stub.requests.length = 0;
    const second = await loadAll(source());
    assert.deepEqual(second, first);
    assert.deepEqual(whole(""), []);
    if (kind === "repository") assert.equal(stub.requests.length, 1, "the commit is all that is asked for");
    await stub.close();
    const third = await loadAll(source());
    assert.deepEqual([third.name, third.bytes], [first.name, first.bytes]);
    assert.match(third.notices.join("\n"), /^The files that were kept on .* are used, because .*could not be read/);
  });

  test(`${kind}: a download that was cut goes on in the next load`, async () => {
    Object.assign(stub.options, { cutFirst: 2, cutPath: WEIGHTS });
    await rejects(loadAll(source()), "readFailed", /model\.safetensors: got 75000 of 100000 bytes/);
    const [model] = await keptModels();
    assert.ok(model.bytes > 75_000 && !model.complete);
    const { bytes } = await loadAll(source());
    assert.deepEqual(bytes.get(WEIGHTS), weights);
    assert.deepEqual(
      whole(WEIGHTS).map(({ range }) => range),
      ["bytes=0-", "bytes=50000-", "bytes=75000-"],
    );
    assert.equal((await keptModels())[0].complete, true);
  });

  test(`${kind}: a file that changed on the server takes the place of the kept one`, async () => {
    await loadAll(source());
    const before = disk.files().length;
    await put(WEIGHTS, others);
    await utimes(join(folder, WEIGHTS), new Date(), new Date(Date.now() + 5000));
    stub.requests.length = 0;
    const { bytes } = await loadAll(source());
    assert.deepEqual(bytes.get(WEIGHTS), others);
    assert.deepEqual(
      whole("").map(({ path }) => path.split("/").at(-1)),
      [WEIGHTS],
    );
    assert.equal(disk.files().length, before, "nothing of the old file stays");
    await stub.close();
    assert.deepEqual((await loadAll(source())).bytes.get(WEIGHTS), others);
  });

  test(`${kind}: a kept file that was damaged is found out`, async () => {
    await loadAll(source());
    const { file } = disk.files().find((entry) => entry.file.bytes.length === weights.length);
    file.bytes[70_000] ^= 1;
    const { bytes, notices } = await loadAll(source());
    assert.deepEqual(bytes.get(WEIGHTS), weights);
    assert.match(notices.join(), /kept copy of model\.safetensors was damaged/);
    disk.files().find((entry) => entry.file.bytes.length === weights.length).file.bytes[0] ^= 1;
    await stub.close();
    await rejects(loadAll(source()), "readFailed", /model\.safetensors/);
  });
}

test("a tab that is killed in the middle of a file loses the last 16 MiB of it at most", async () => {
  const size = 40_000_000;
  const large = new Uint8Array(size).map((_, index) => (index * 7 + (index >> 12)) % 256);
  await put(WEIGHTS, large);
  Object.assign(stub.options, { cutFirst: 1, cutPath: WEIGHTS });
  const real = globalThis.fetch;
  // The stub sends 20 MB and cuts; then nothing comes any more.
  globalThis.fetch = (url, init) => (stub.options.cutFirst === 0 ? new Promise(() => undefined) : real(url, init));
  try {
    const dead = loadAll(repository(), { read: (file) => file.path === WEIGHTS && file.read(0, 10) });
    dead.catch(() => undefined);
    while (stub.options.cutFirst > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await new Promise((resolve) => setTimeout(resolve, 500));
  } finally {
    globalThis.fetch = real;
  }
  disk.killTab();
  stub.requests.length = 0;
  assert.deepEqual((await loadAll(repository())).bytes.get(WEIGHTS), large);
  const [{ range }] = whole(WEIGHTS);
  const from = Number(/\d+/.exec(range)[0]);
  assert.ok(from >= 2 ** 24 && from <= 20_000_000, range);
});

test("bytes that are not what the hub's hash says are an error, and are not kept", async () => {
  const real = globalThis.fetch;
  globalThis.fetch = async (url, init) => {
    const response = await real(url, init);
    if (!/safetensors/.test(url) || init.headers.Range !== "bytes=0-") return response;
    const body = new Uint8Array(await response.arrayBuffer());
    body[5] ^= 1;
    return new Response(body, response);
  };
  try {
    await rejects(loadAll(repository()), "invalidFile", /SHA-256 is .{64}, but the hub says .{64}.*was removed/);
  } finally {
    globalThis.fetch = real;
  }
  assert.ok(disk.files().every(({ file }) => file.bytes.length < weights.length));
  assert.deepEqual((await loadAll(repository())).bytes.get(WEIGHTS), weights);
});

test("neither a token nor an address's query is kept", async () => {
  stub.options.privateRepositories = ["owner/mini"];
  await loadAll(repository({ accessToken: "hf_stub" }));
  await loadAll(address("?sig=SECRET"));
  const all = disk
    .files()
    .map(({ name, file, folder: { name: parent } }) => `${parent}/${name}:${new TextDecoder().decode(file.bytes)}`);
  assert.ok(all.length >= 8);
  assert.ok(!/hf_stub|SECRET|sig=|signature/.test(all.join("\n")));
  const models = await keptModels();
  assert.deepEqual(
    models.map(({ source }) => source).sort((a) => ("url" in a ? 1 : -1)),
    [{ repository: "owner/mini", hubUrl: stub.url }, { url: `${stub.storageUrl}/owner/mini/` }],
  );
  // What is kept loads without them, where the server refuses.
  const { bytes, notices } = await loadAll(repository());
  assert.deepEqual(bytes.get(WEIGHTS), weights);
  assert.match(notices.join(), /kept on .*private or gated/);
});

test("of two tabs one keeps the model, and both load it", async () => {
  const tabs = await Promise.all([loadAll(repository()), loadAll(repository())]);
  for (const { bytes } of tabs) assert.deepEqual(bytes.get(WEIGHTS), weights);
  assert.deepEqual(tabs.flatMap(({ notices }) => [...new Set(notices)]).length, 1);
  assert.match(tabs.flatMap(({ notices }) => notices)[0], /Another tab/);
  assert.equal(disk.files().filter(({ file }) => file.bytes.length === weights.length).length, 1);
  await stub.close();
  const later = await Promise.all([loadAll(repository()), loadAll(repository())]);
  for (const { bytes } of later) assert.deepEqual(bytes.get(WEIGHTS), weights);
});

for (const [when, settings] of [
  ["is known to be full", { room: 50_000 }],
  ["turns out to be full", { room: 50_000, told: 1e9 }],
]) {
  test(`a storage that ${when} holds up nothing and keeps nothing`, async () => {
    Object.assign(disk.disk, settings);
    const { bytes, notices } = await loadAll(address());
    assert.deepEqual(bytes.get(WEIGHTS), weights);
    assert.equal(notices.length, 1);
    assert.match(notices[0], /^This model is not kept on this computer: /);
    assert.deepEqual(disk.files(), []);
    assert.deepEqual(await keptModels(), []);
  });
}

for (const path of ["modules.json", "special_tokens_map.json"]) {
  test(`a storage that fills up before ${path} comes leaves what is kept`, async () => {
    await loadAll(address());
    disk.disk.room = 0;
    await put(path, "[]");
    const { bytes, notices } = await loadAll(address());
    await rm(join(folder, path));
    assert.deepEqual(bytes.get(WEIGHTS), weights);
    assert.match(notices.join(), /could not be brought up to date/);
    disk.disk.room = 1e9;
    await stub.close();
    assert.deepEqual((await loadAll(address())).bytes.get(WEIGHTS), weights);
  });
}

const refuse = async () => {
  throw new DOMException("not in a private window", "SecurityError");
};
for (const [what, take] of [
  ["that isn't there", () => disk.uninstall()],
  ["that is refused", () => Object.assign(globalThis.navigator.storage, { getDirectory: refuse })],
]) {
  test(`with a private file system ${what} models load, and the person is told`, async () => {
    take();
    const { bytes, notices } = await loadAll(repository());
    assert.deepEqual(bytes.get(WEIGHTS), weights);
    assert.match(notices.join(), /keeps no models here/);
    assert.deepEqual(await keptModels(), []);
    await removeKeptModel("nothing");
  });
}

test("a file that comes to a kept model makes it whole only once it is there", async () => {
  await loadAll(address());
  await put("modules.json", "[]");
  const read = (file) => {
    if (file.path === "modules.json") throw new Error("killed");
    return file.read(0, file.size);
  };
  try {
    await assert.rejects(loadAll(address(), { read }), /killed/);
    assert.equal((await keptModels())[0].complete, false);
    await loadAll(address());
    assert.equal((await keptModels())[0].complete, true);
  } finally {
    await rm(join(folder, "modules.json"));
  }
});

test("kept models are listed and removed, but not while one is loaded", async () => {
  const { name } = await loadAll(repository());
  const [model, ...more] = await keptModels();
  assert.deepEqual(more, []);
  assert.deepEqual([model.name, model.complete], [name, true]);
  assert.equal(model.bytes, weights.length + 2 + 12);
  assert.ok(Date.now() - model.keptAt.getTime() < 60_000);
  await loadAll(repository(), {
    read: async (file) => {
      await rejects(removeKeptModel(model.id), "invalidState", /is being loaded/);
      return file.read(0, file.size);
    },
  });
  await removeKeptModel(model.id);
  assert.deepEqual(disk.files(), []);
  await removeKeptModel(model.id);
});

test("what was written half is not believed, and what a removal left is swept", async () => {
  await loadAll(repository());
  const { folder: of, file } = disk.files().find(({ name }) => name.startsWith("about-"));
  const half = await (await of.getFileHandle("about-99.json", { create: true })).createSyncAccessHandle();
  half.write(file.bytes.slice(0, file.bytes.length >> 1), { at: 0 });
  half.close();
  assert.equal((await keptModels()).length, 1);
  stub.requests.length = 0;
  await loadAll(repository());
  assert.deepEqual(whole(""), []);
  for (const { name } of disk.files()) if (name.startsWith("about-")) await of.removeEntry(name);
  assert.deepEqual(await keptModels(), []);
  assert.deepEqual(disk.files(), []);
});

test("a branch that moves during a load is read at one commit", async () => {
  const read = async (file) => {
    await put("tokenizer.json", '{"model":{"moved":true}}');
    return file.read(0, file.size);
  };
  await rejects(loadAll(repository(), { read }), "missingFile", /no such revision/);
  const commits = new Set(stub.requests.map(({ path }) => /(?:tree|resolve)\/([^/]+)/.exec(path)?.[1]).filter(Boolean));
  assert.equal(commits.size, 1);
});

test("a server without ranges is not asked for a kept file again", async () => {
  stub.options.ranges = false;
  const first = await loadAll(address());
  const { bytes } = await loadAll(address());
  assert.deepEqual(bytes, first.bytes);
  await stub.close();
  assert.deepEqual((await loadAll(address())).bytes, first.bytes);
});

test("a kept model's config.json is read without its server, and reading one keeps nothing", async () => {
  const config = () => readConfig(address(), () => undefined);
  assert.equal(new TextDecoder().decode(await config()), "{}");
  assert.deepEqual(disk.files(), []);
  await loadAll(address());
  const files = disk.files().length;
  await stub.close();
  assert.equal(new TextDecoder().decode(await config()), "{}");
  assert.equal(disk.files().length, files);
});

test("what was never asked for is not taken for absent when the server is away", async () => {
  await loadAll(address());
  await stub.close();
  await rejects(loadAll(address(), { optional: LANGUAGE_FILES }), "readFailed", /could not be read/);
});

test("a kept file that is removed while it is read comes from the server", async () => {
  await loadAll(address());
  let isFirst = true;
  const { bytes } = await loadAll(address(), {
    read: async (file) => {
      if (file.path !== WEIGHTS) return file.read(0, file.size);
      const start = await file.read(0, 10);
      for (const { name, folder: of } of isFirst ? disk.files() : []) await of.removeEntry(name);
      isFirst = false;
      return Uint8Array.from([...start, ...(await file.read(10, file.size - 10))]);
    },
  });
  assert.deepEqual(bytes.get(WEIGHTS), weights);
});
