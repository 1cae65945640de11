/**
 * Model folders served by a stub of the hub: files are found and read, or refused with one clear error.
 */
import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { startHubStub } from "../hub-stub.mjs";
import { writeFolder } from "./folders.mjs";
import { load, removeBuild } from "./package-under-test.mjs";

const { LANGUAGE_FILES, openSource } = await load("sources/open");
const { readConfig } = await load("sources/load");
const { settleSource } = await load("sources/settle");
const weights = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
let folder;
let stub;

/** A folder whose index names a file that is not inside it. */
const leaving = (name, file) => ({
  [`leaving-${name}/config.json`]: "{}",
  [`leaving-${name}/tokenizer.json`]: "{}",
  [`leaving-${name}/model.safetensors.index.json`]: JSON.stringify({ weight_map: { a: file } }),
});

const WAYS_OUT = {
  host: "//stranger.test/x.safetensors",
  port: "//127.0.0.1:1/x.safetensors",
  userinfo: "//127.0.0.1@stranger.test/x.safetensors",
  root: "/elsewhere/z.safetensors",
  scheme: "http://stranger.test/x.safetensors",
  "scheme-alone": "http:x.safetensors",
  data: "data:application/octet-stream,x.safetensors",
  backslash: "\\\\stranger.test\\x.safetensors",
  "backslash-up": "..\\x.safetensors",
  "encoded-up": "%2e%2e/x.safetensors",
  "half-encoded-up": ".%2E/x.safetensors",
  "later-up": "a/../../x.safetensors",
  tab: "/\t/stranger.test/x.safetensors",
  query: "x.safetensors?to=//stranger.test",
  fragment: "#x.safetensors",
};

const FILES = {
  "mini/config.json": "{}",
  "mini/tokenizer.json": '{"model":{}}',
  "mini/modules.json": '[{"path":""},{"path":"1_Pooling"},{"path":"2_Dense"}]',
  "mini/1_Pooling/config.json": "{}",
  "mini/2_Dense/config.json": "{}",
  "mini/README.md": "# mini",
  "mini/model.safetensors": weights,
  "sharded/config.json": "{}",
  "sharded/tokenizer.json": "{}",
  "sharded/chat_template.jinja": "{{ messages }}",
  "sharded/generation_config.json": "{}",
  "sharded/model.safetensors.index.json":
    '{"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors","c":"model-1.safetensors"}}',
  "sharded/model-1.safetensors": "one",
  "sharded/model-2.safetensors": "two",
  "escaping/config.json": "{}",
  "escaping/tokenizer.json": "{}",
  "escaping/model.safetensors.index.json": '{"weight_map":{"a":"../secret.safetensors"}}',
  ...Object.assign({}, ...Object.entries(WAYS_OUT).map(([way, path]) => leaving(way, path))),
  "pickled/config.json": "{}",
  "pickled/tokenizer.json": "{}",
  "pickled/pytorch_model.bin": "pickle",
  "consolidated/config.json": "{}",
  "consolidated/tokenizer.json": "{}",
  "consolidated/consolidated.safetensors": "weights",
  "pieces/config.json": "{}",
  "pieces/vocab.json": "{}",
  "pieces/merges.txt": "#version: 0.2",
  "pieces/model.safetensors": weights,
  "words/config.json": "{}",
  "words/vocab.txt": "[PAD]",
  "words/model.safetensors": weights,
  "sentencepiece/config.json": "{}",
  "sentencepiece/tokenizer.model": "words",
  "sentencepiece/model.safetensors": weights,
  "wordless/config.json": "{}",
  "wordless/model.safetensors": weights,
  "adapter/adapter_config.json": '{"peft_type":"LORA","base_model_name_or_path":"example/base"}',
  "adapter/adapter_model.safetensors": weights,
};

before(async () => {
  folder = await writeFolder(FILES);
});
after(async () => {
  await rm(folder, { recursive: true });
  await removeBuild();
});
afterEach(async () => {
  await stub?.close();
  stub = undefined;
});

async function start(options = {}) {
  const folders = new Set(Object.keys(FILES).map((path) => path.split("/", 1)[0]));
  const names = [...folders, ...Object.keys(WAYS_OUT).map((way) => `leaving-${way}`)];
  const repositories = Object.fromEntries(names.map((name) => [`owner/${name}`, join(folder, name)]));
  stub = await startHubStub({ repositories, ...options });
}

const quiet = () => undefined;
const repository = (name, more = {}) => openSource({ repository: `owner/${name}`, hubUrl: stub.url, ...more }, quiet);
const address = (name, onBytes = quiet) => openSource({ url: `${stub.url}/owner/${name}/resolve/main` }, onBytes);
const fileOf = ({ files }, path) => files.find((file) => file.path === path);
const pathsOf = ({ files }) => files.map(({ path }) => path).sort();
const rejects = (promise, code, message) => assert.rejects(promise, { name: "WebtuneError", code, message });

test("a repository gives nested files, without those of no use, and ranges of their bytes", async () => {
  await start({ pageSize: 3 });
  const opened = await repository("mini");
  assert.equal(opened.name, "owner/mini");
  assert.deepEqual(pathsOf(opened), [
    "1_Pooling/config.json",
    "2_Dense/config.json",
    "config.json",
    "model.safetensors",
    "modules.json",
    "tokenizer.json",
  ]);
  const file = fileOf(opened, "model.safetensors");
  assert.equal(file.size, weights.length);
  assert.deepEqual(await file.read(1000, 5000), weights.slice(1000, 6000));
  assert.deepEqual(await file.read(99_990, 10), weights.slice(99_990));
  assert.ok(stub.requests.some(({ host, range }) => host === "storage" && range === "bytes=1000-5999"));
  await rejects(file.read(99_990, 11), "readFailed", /model\.safetensors: bytes 99990 to 100001/);
});

test("a repository that isn't there, or is private, says what to do", async () => {
  await start({ privateRepositories: ["owner/mini"] });
  await rejects(repository("nothing"), "readFailed", /owner\/nothing.*check the spelling.*accessToken.*401/);
  await rejects(repository("nothing", { accessToken: "hf_stub" }), "missingFile", /no such repository.*spelling.*404/);
  await rejects(repository("mini"), "readFailed", /private or gated.*accessToken.*401/);
  await rejects(repository("mini", { accessToken: "hf_wrong" }), "readFailed", /private or gated.*403/);
  await rejects(repository("mini", { accessToken: "secret" }), "invalidOption", /accessToken/);
  await rejects(repository("a/b/c"), "invalidOption", /owner\/name/);
  await rejects(repository("mini", { accessToken: "hf_stub", revision: "v9" }), "missingFile", /revision/);
});

test("a token opens a private repository and never leaves for another host", async () => {
  await start({ privateRepositories: ["owner/mini"] });
  const opened = await repository("mini", { accessToken: "hf_stub" });
  assert.deepEqual(await fileOf(opened, "model.safetensors").read(0, 100), weights.slice(0, 100));
  assert.ok(stub.requests.some(({ host }) => host === "storage"));
  assert.ok(stub.requests.every(({ host, token }) => token === (host === "hub")));
});

test("a repository with pickled weights only is refused with the way out", async () => {
  await start();
  await rejects(repository("pickled"), "missingFile", /pytorch_model\.bin.*safetensors or GGUF is needed/);
  await rejects(address("pickled"), "missingFile", /pytorch_model\.bin.*safetensors or GGUF is needed/);
});

test("files of words take the place of a tokenizer.json", async () => {
  await start();
  const pieces = ["config.json", "merges.txt", "model.safetensors", "vocab.json"];
  const words = ["config.json", "model.safetensors", "vocab.txt"];
  for (const open of [repository, address]) {
    assert.deepEqual(pathsOf(await open("pieces")), pieces);
    assert.deepEqual(pathsOf(await open("words")), words);
    await rejects(open("sentencepiece"), "missingFile", /tokenizer\.json.*tokenizer\.model.*save_pretrained/);
  }
  await rejects(address("wordless"), "missingFile", /tokenizer\.json is needed and was not found.*404/);
});

test("an adapter and weights of another layout are told by their names", async () => {
  await start();
  await rejects(address("adapter"), "invalidFile", /PEFT adapter of example\/base.*import this adapter/);
  for (const open of [repository, address]) {
    await rejects(open("consolidated"), "missingFile", /consolidated\.safetensors.*save_pretrained/);
  }
});

test("a hub that can't be reached is named after several attempts", async () => {
  await start();
  const hubUrl = stub.url;
  await stub.close();
  stub = undefined;
  await rejects(
    openSource({ repository: "owner/mini", hubUrl }, quiet),
    "readFailed",
    new RegExp(`${hubUrl}.*attempts`),
  );
});

test("a base address gives the same files", async () => {
  await start();
  const opened = await address("mini");
  assert.equal(opened.name, "main");
  assert.deepEqual(pathsOf(opened), pathsOf(await repository("mini")));
  assert.deepEqual(await fileOf(opened, "model.safetensors").read(7, 100), weights.slice(7, 107));
});

test("pages of HTML in place of files count as missing", async () => {
  await start({ htmlFallback: true });
  const opened = await address("sharded");
  assert.deepEqual(pathsOf(opened), [
    "config.json",
    "model-1.safetensors",
    "model-2.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
  ]);
  await rejects(address("pickled/resolve/main/nothing"), "missingFile", /config\.json is needed.*HTML page/);
});

test("of several missing files the same one is named, whichever answer comes first", async () => {
  await start();
  for (const slowPath of ["config.json", "tokenizer.json", "model.safetensors"]) {
    stub.options.slowPath = slowPath;
    await rejects(address("pickled/resolve/main/nothing"), "missingFile", /config\.json is needed/);
  }
});

test("a language model's template comes along, from a repository and from an address", async () => {
  await start();
  const found = ["chat_template.jinja", "generation_config.json"];
  const url = `${stub.url}/owner/sharded/resolve/main`;
  for (const opened of [await repository("sharded"), await openSource({ url }, quiet, { optional: LANGUAGE_FILES })]) {
    for (const path of found) assert.ok(fileOf(opened, path), path);
  }
  assert.equal(new TextDecoder().decode(await readConfig({ url }, quiet)), "{}");
});

test("a shard that is missing is named", async () => {
  await rm(join(folder, "sharded/model-2.safetensors"));
  await start();
  await rejects(address("sharded"), "missingFile", /model-2\.safetensors is needed/);
  await writeFile(join(folder, "sharded/model-2.safetensors"), "two");
});

test("a required file that is missing is named with address and status", async () => {
  await start();
  const url = `${stub.url}/owner/mini/resolve/main/1_Pooling`;
  await rejects(openSource({ url }, quiet), "missingFile", new RegExp(`is needed.*${url}/.*answered 404`));
});

test("an index can't send requests out of its folder", async () => {
  await start();
  await rejects(address("escaping"), "invalidFile", /model\.safetensors\.index\.json: a: .*\.\.\/secret/);
});

test("no spelling of a shard's name sends a request, or the address's query, elsewhere", async () => {
  await start();
  const asked = [];
  const real = globalThis.fetch;
  globalThis.fetch = (url, ...rest) => {
    asked.push(String(url));
    return real(url, ...rest);
  };
  try {
    const folders = Object.keys(WAYS_OUT).map((way) => `${stub.url}/owner/leaving-${way}/resolve/main/`);
    for (const folder of folders) {
      await assert.rejects(openSource({ url: `${folder}?sig=SECRET` }, quiet), ({ code, message }) => {
        assert.ok(["invalidFile", "missingFile"].includes(code), message);
        return true;
      });
    }
    // Every request of these folders carries the query; others may be on their way for an earlier test.
    const secret = asked.filter((url) => url.includes("SECRET"));
    const isInside = (url) => folders.some((folder) => url.startsWith(folder));
    assert.ok(secret.length > 0 && secret.every(isInside), secret.join("\n"));
  } finally {
    globalThis.fetch = real;
  }
});

test("a cut transfer is taken up where it ended", async () => {
  await start({ cutFirst: 2, cutPath: "model.safetensors" });
  const seen = [];
  const opened = await openSource({ repository: "owner/mini", hubUrl: stub.url }, (...progress) => seen.push(progress));
  assert.deepEqual(await fileOf(opened, "model.safetensors").read(0, 80_000), weights.slice(0, 80_000));
  const ranges = stub.requests.filter(({ host, path }) => host === "storage" && path.endsWith("model.safetensors"));
  assert.deepEqual(
    ranges.map(({ range }) => range).filter((range) => range !== "bytes=0-0"),
    ["bytes=0-79999", "bytes=40000-79999", "bytes=60000-79999"],
  );
  assert.deepEqual(seen.at(-1), ["model.safetensors", 80_000, 100_000]);
});

test("a transfer that is always cut ends with the bytes got and expected", async () => {
  await start({ cutFirst: 100, cutPath: "model.safetensors" });
  const opened = await address("mini");
  await rejects(
    fileOf(opened, "model.safetensors").read(0, 64_000),
    "readFailed",
    /model\.safetensors: got 60000 of the 64000 bytes from byte 0 of http.*after 3 more attempts/,
  );
});

test("a server without ranges is read once, cut or not", async () => {
  await start({ ranges: false, cutFirst: 1, cutPath: "model.safetensors" });
  const opened = await repository("mini");
  const file = fileOf(opened, "model.safetensors");
  const [first, second] = await Promise.all([file.read(0, 1000), file.read(50_000, 1000)]);
  assert.deepEqual(first, weights.slice(0, 1000));
  assert.deepEqual(second, weights.slice(50_000, 51_000));
  const before = stub.requests.length;
  assert.deepEqual(await file.read(99_000, 1000), weights.slice(99_000));
  assert.equal(stub.requests.length, before);
  const direct = await address("mini");
  assert.deepEqual(await fileOf(direct, "model.safetensors").read(5, 5), weights.slice(5, 10));
});

test("files keep their paths inside the folder", async () => {
  const config = new File(["{}"], "config.json");
  Object.defineProperty(config, "webkitRelativePath", { value: "my-model/1_Pooling/config.json" });
  const settled = settleSource({ files: [config, { path: "./a\\b.json", blob: new Blob(["xyz"]) }] }, undefined);
  assert.equal(settled.name, "my-model");
  const opened = await openSource(settled, quiet);
  assert.deepEqual(pathsOf(opened), ["1_Pooling/config.json", "a/b.json"]);
  assert.equal(new TextDecoder().decode(await fileOf(opened, "a/b.json").read(1, 2)), "yz");
  await rejects(fileOf(opened, "a/b.json").read(2, 2), "readFailed", /a\/b\.json: expected 2 bytes from byte 2, got 1/);
});

test("sources of no use are refused before a worker starts", () => {
  const twice = { files: [new File([""], "config.json"), new File([""], "config.json")] };
  assert.throws(() => settleSource(twice, undefined), { code: "invalidFile", message: /config\.json/ });
  assert.throws(() => settleSource({ url: "models/" }, undefined), { code: "invalidOption" });
  assert.throws(() => settleSource({ url: "ftp://host/" }, undefined), { code: "invalidOption" });
  assert.throws(() => settleSource({}, undefined), { code: "invalidOption" });
  assert.equal(settleSource({ url: "models" }, "http://host/page/").url, "http://host/page/models");
});
