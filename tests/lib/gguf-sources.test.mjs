/**
 * GGUF files as models: found among files, at an address and in a repository, read in ranges, kept, named in exports.
 */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { startHubStub } from "../hub-stub.mjs";
import { installStorage } from "./fake-opfs.mjs";
import { FakeEngine, installWorker } from "./fakes.mjs";
import { writeFolder } from "./folders.mjs";
import { load, removeBuild } from "./package-under-test.mjs";

const { openSource } = await load("sources/open");
const { loadFrom } = await load("sources/load");
const { settleSource } = await load("sources/settle");
const { baseOf } = await load("sources/base-name");
const { EngineHost } = await load("worker/host");
const { keptModels, LanguageModel, readModelConfig, TextClassifier } = await load("index");

const weights = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
const FILES = {
  "one/Tiny.Q4_0.gguf": weights,
  "one/README.md": "# one",
  "one/config.json": "{}",
  "several/a.Q4_0.gguf": "a",
  "several/b/b.Q8_0.gguf": "b",
  "both/config.json": "{}",
  "both/tokenizer.json": "{}",
  "both/model.safetensors": "safe",
  "both/both.gguf": "gguf",
  "split/m-00001-of-00002.gguf": "1",
  "pickled/pytorch_model.bin": "pickle",
};
const names = [...new Set(Object.keys(FILES).map((path) => path.split("/")[0]))];
const patience = { retries: 1, firstDelayMs: 1, stallMs: 20_000 };
let folder;
let stub;
let disk;
const workers = installWorker(EngineHost, () => new FakeEngine());

before(async () => {
  folder = await writeFolder(FILES);
});
after(async () => {
  await rm(folder, { recursive: true });
  await removeBuild();
});
beforeEach(async () => {
  disk = installStorage();
  const repositories = Object.fromEntries(names.map((name) => [`owner/${name}`, join(folder, name)]));
  stub = await startHubStub({ repositories });
});
afterEach(async () => {
  await stub.close();
  disk.uninstall();
});

const repository = (name, more = {}) => ({ repository: `owner/${name}`, hubUrl: stub.url, ...more });
const address = (path) => ({ url: `${stub.storageUrl}/owner/${path}` });
const open = (source) => openSource(settleSource(source, undefined), () => undefined, { patience });
const pathsOf = ({ files }) => files.map(({ path }) => path).sort();
const rejects = (promise, code, message) => assert.rejects(promise, { name: "WebtuneError", code, message });
const given = (paths, name) => ({
  files: paths.map((path) => ({ path, blob: new Blob(["x"]) })),
  ...(name && { name }),
});

test("a repository with one GGUF file and no safetensors gives that file alone, read in ranges", async () => {
  const opened = await open(repository("one"));
  assert.deepEqual(pathsOf(opened), ["Tiny.Q4_0.gguf"]);
  const [file] = opened.files;
  assert.deepEqual(await file.read(1000, 5000), weights.slice(1000, 6000));
  assert.ok(stub.requests.some(({ range }) => range === "bytes=1000-5999"));
});

test("of several GGUF files all are named, and how one of them is", async () => {
  const several = /several.*a\.Q4_0\.gguf, b\/b\.Q8_0\.gguf; name one with `file`.*repository\/file/;
  await rejects(open(repository("several")), "invalidFile", several);
  const opened = await open(repository("several", { file: "b/b.Q8_0.gguf" }));
  assert.deepEqual(pathsOf(opened), ["b/b.Q8_0.gguf"]);
  await rejects(
    open(repository("several", { file: "c.gguf" })),
    "missingFile",
    /c\.gguf is not in .*which has a\.Q4_0\.gguf/,
  );
  await rejects(open(given(["a.gguf", "b.gguf"])), "invalidFile", /several: a\.gguf, b\.gguf; choose one of them/);
  assert.throws(() => settleSource(repository("both", { file: "model.bin" }), undefined), {
    code: "invalidOption",
    option: "file",
  });
});

test("safetensors go before GGUF unless the file is named", async () => {
  const safe = ["config.json", "model.safetensors", "tokenizer.json"];
  assert.deepEqual(pathsOf(await open(repository("both"))), safe);
  assert.deepEqual(pathsOf(await open(given([...safe, "both.gguf"]))), safe);
  assert.deepEqual(pathsOf(await open(repository("both", { file: "both.gguf" }))), ["both.gguf"]);
});

test("one part of a model, and weights of another kind, are refused with the way out", async () => {
  const part = /m-00001-of-00002\.gguf: it is one part.*llama-gguf-split --merge/;
  await rejects(open(repository("split")), "invalidFile", part);
  await rejects(open(address("split/m-00001-of-00002.gguf")), "invalidFile", part);
  await rejects(
    open(repository("pickled")),
    "missingFile",
    /pytorch_model\.bin, but transformers' own safetensors or GGUF is needed/,
  );
});

test("an address whose path ends in .gguf is that file, with its query", async () => {
  const opened = await open(address("one/Tiny.Q4_0.gguf?sig=1"));
  assert.deepEqual([opened.name, pathsOf(opened)], ["Tiny.Q4_0", ["Tiny.Q4_0.gguf"]]);
  assert.deepEqual(await opened.files[0].read(5, 5), weights.slice(5, 10));
  await rejects(open(address("one/none.gguf")), "missingFile", /none\.gguf is needed.*answered 404/);
  stub.options.htmlFallback = true;
  await rejects(open({ url: `${stub.url}/owner/one/resolve/main/x.gguf` }), "missingFile", /HTML page/);
});

test("chosen files are named by the folder, or the one file", async () => {
  const opened = await open(given(["Tiny.Q4_0.gguf"]));
  assert.deepEqual([opened.name, pathsOf(opened)], ["Tiny.Q4_0", ["Tiny.Q4_0.gguf"]]);
  const beside = await open(given(["README.md", "x.GGUF"], "my-model"));
  assert.deepEqual([beside.name, pathsOf(beside)], ["my-model", ["x.GGUF"]]);
});

/** What a worker does with a source, but for the engine. */
async function loadAll(source) {
  const notices = [];
  const parts = { keep: true, onBytes: () => undefined, notify: (notice) => notices.push(notice) };
  return loadFrom(settleSource(source, undefined), parts, async ({ name, files: [file] }) => ({
    name,
    bytes: await file.read(0, file.size),
    notices,
  }));
}

for (const [kind, source] of [
  ["repository", () => repository("one")],
  ["file of a repository", () => repository("one", { file: "Tiny.Q4_0.gguf" })],
  ["address", () => address("one/Tiny.Q4_0.gguf?sig=SECRET")],
]) {
  test(`a GGUF ${kind} is kept, and loads without its server`, async () => {
    const { name, bytes } = await loadAll(source());
    assert.deepEqual(bytes, weights);
    stub.requests.length = 0;
    assert.deepEqual((await loadAll(source())).bytes, weights);
    assert.ok(
      stub.requests.every(({ range }) => range !== "bytes=0-"),
      "nothing is fetched again",
    );
    await stub.close();
    const offline = await loadAll(source());
    assert.deepEqual([offline.name, offline.bytes], [name, weights]);
    assert.match(offline.notices.join("\n"), /^The files that were kept on .* are used/);
    const [kept, ...more] = await keptModels();
    assert.deepEqual(more, []);
    assert.ok(!JSON.stringify(kept).includes("SECRET"));
    assert.deepEqual((await loadAll(kept.source)).bytes, weights);
  });
}

test("two files of one repository are kept side by side", async () => {
  for (const file of ["a.Q4_0.gguf", "b/b.Q8_0.gguf"]) await loadAll(repository("several", { file }));
  const kept = (await keptModels()).map(({ source }) => source.file).sort();
  assert.deepEqual(kept, ["a.Q4_0.gguf", "b/b.Q8_0.gguf"]);
});

test("a GGUF file's config.json comes from the engine, which reads its head", async () => {
  const config = JSON.parse(new TextDecoder().decode(await readModelConfig(address("one/Tiny.Q4_0.gguf"))));
  assert.deepEqual(config, { file: "Tiny.Q4_0.gguf", head: [0, 1, 2, 3] });
  assert.ok(!stub.requests.some(({ range }) => range === "bytes=0-"), "not the whole file");
  await rejects(readModelConfig(address("one/none.gguf")), "missingFile", /none\.gguf is needed/);
});

test("the engine gets the GGUF file alone, for either task", async () => {
  for (const model of [TextClassifier, LanguageModel]) {
    await model.load({ ...given(["README.md", "tiny.gguf"]), name: "owner/tiny" });
    assert.deepEqual(workers.at(-1).engine.loaded.files, ["tiny.gguf"]);
    assert.equal(workers.at(-1).engine.loaded.name, "owner/tiny");
  }
});

test("a classifier's engine that wants a folder in place of a GGUF file is understood", async () => {
  const { load: real } = FakeEngine.prototype;
  FakeEngine.prototype.load = async () => {
    throw Object.assign(new Error("config.json is missing"), { code: "missingFile", file: "config.json" });
  };
  try {
    const words = /^tiny\.gguf: a classifier needs the folder .*; a language model takes the file$/;
    await rejects(TextClassifier.load(given(["tiny.gguf"])), "unsupportedModel", words);
    await rejects(TextClassifier.load(given(["tokenizer.json"])), "missingFile", /^config\.json is missing$/);
  } finally {
    FakeEngine.prototype.load = real;
  }
});

test("the base model's name is known, suggested or to be asked for", async () => {
  const config = (name) => ({ path: "config.json", ...fileOf(JSON.stringify({ _name_or_path: name, eps: 1 })) });
  const gguf = { path: "x.gguf", ...fileOf("") };
  /** @type {[string, object, object[], object, object][]} */
  const cases = [
    ["a repository", { repository: "a/b" }, [config("c/d")], { name: "a/b" }, { name: "a/b", isKnown: true }],
    [
      "a copy of one",
      { url: "http://h/x/", name: "a/b" },
      [config("c/d")],
      { name: "a/b" },
      { name: "a/b", isKnown: true },
    ],
    ["a folder", { files: [], name: "x" }, [config("c/d")], { name: "x" }, { isKnown: false, suggestion: "c/d" }],
    [
      "a folder of a path",
      { files: [], name: "x" },
      [config("../y")],
      { name: "x" },
      { isKnown: false, suggestion: undefined },
    ],
    ["an address", { url: "http://h/x/" }, [config("c/d")], { name: "x" }, { isKnown: false, suggestion: "c/d" }],
    [
      "a GGUF file that says it",
      { files: [], name: "x" },
      [gguf],
      { name: "x", baseName: "a/b" },
      { name: "a/b", isKnown: true },
    ],
    ["a GGUF file", { files: [], name: "x" }, [gguf], { name: "x" }, { name: "x", isKnown: false }],
    [
      "a GGUF repository",
      { repository: "a/b-GGUF" },
      [gguf],
      { name: "a/b-GGUF" },
      { name: "a/b-GGUF", isKnown: false },
    ],
    [
      "a named GGUF file",
      { url: "http://h/x.gguf", name: "a/b" },
      [gguf],
      { name: "a/b", baseName: "c/d" },
      { name: "a/b", isKnown: true },
    ],
  ];
  for (const [what, source, files, info, expected] of cases) {
    assert.deepEqual(await baseOf(source, files, info), { name: info.name, ...expected }, what);
  }
});

test("an export names the base as it is told, and the next one as before", async () => {
  const files = [{ path: "config.json", blob: new Blob(['{"_name_or_path": "c/d"}']) }];
  const tuner = await LanguageModel.load({ files, name: "toy" });
  assert.deepEqual(tuner.base, { name: "toy", isKnown: false, suggestion: "c/d" });
  const called = async (options) => {
    await tuner.export(options);
    return workers.at(-1).engine.called ?? "toy";
  };
  assert.equal(await called({}), "toy");
  assert.equal(await called({ baseName: " a/b " }), "a/b");
  assert.equal(await called({ format: "gguf" }), "toy");
  await assert.rejects(tuner.export({ baseName: " " }), { code: "invalidOption", option: "baseName" });
  assert.equal(workers.at(-1).engine.overlapped, false);
});

function fileOf(text) {
  const bytes = new TextEncoder().encode(text);
  return { size: bytes.length, read: async (offset, length) => bytes.slice(offset, offset + length) };
}
