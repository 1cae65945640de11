/**
 * Runs, texts, exports, ends and errors of the package's language models, with an engine that only pretends.
 */
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { FakeEngine, installWorker } from "./fakes.mjs";
import { load, removeBuild } from "./package-under-test.mjs";

const { EngineHost } = await load("worker/host");
const { estimateLanguageRun, LanguageModel, memoryLimit, parseTextRows, readModelConfig } = await load("index");
const source = { files: [{ path: "config.json", blob: new Blob(["{}"]) }], name: "toy" };
const rows = [{ row: 1, content: { text: "a" } }];
let settings;
const workers = installWorker(EngineHost, () => new FakeEngine(settings));
const engineOf = () => workers.at(-1).engine;

beforeEach(() => {
  settings = {};
});
after(removeBuild);

async function collect(run) {
  const events = [];
  for await (const event of run) events.push(event);
  return events;
}

test("loading tells its storage, and can be aborted", async () => {
  const tuner = await LanguageModel.load(source, { storage: "int8", device: "cpu" });
  assert.equal(tuner.model.storage, "int8");
  assert.equal((await LanguageModel.load(source)).model.storage, "f32");
  const aborted = LanguageModel.load(source, { signal: AbortSignal.abort() });
  await assert.rejects(aborted, { code: "aborted", message: /loading/ });
});

test("rows are read and runs estimated without a model", async () => {
  const read = await parseTextRows({ name: "a.txt", text: "x" }, { skipBad: true });
  assert.deepEqual(read, { rows: [{ row: 1, content: { text: "a.txt:x" } }], options: { skipBad: true } });
  const file = new File(["y"], "b.txt");
  assert.equal((await parseTextRows(file)).rows[0].content.text, "b.txt:y");
  assert.equal((await parseTextRows({ name: "c", bytes: Uint8Array.of(122) })).rows[0].content.text, "c:z");
  const estimate = await estimateLanguageRun(source, { storage: "int8", device: "cpu", maxLength: 9 });
  assert.deepEqual(estimate, { total: 2, storage: "int8", options: { maxLength: 9 } });
  assert.equal((await estimateLanguageRun(new Uint8Array(7), { device: "cpu" })).total, 7);
  assert.deepEqual(await readModelConfig(source), new TextEncoder().encode("{}"));
  await assert.rejects(readModelConfig({ files: [], name: "x" }), { code: "missingFile" });
  assert.ok(memoryLimit() >= 2 ** 29 && memoryLimit() <= 3 * 2 ** 30);
  await assert.rejects(estimateLanguageRun({ files: [], name: "x" }, {}), { code: "missingFile" });
  await assert.rejects(estimateLanguageRun({}, {}), { code: "invalidOption" });
});

test("a run gives its events, and names its file", async () => {
  const tuner = await LanguageModel.load(source);
  const run = tuner.train(rows, { seed: 3, file: "rows.jsonl" });
  assert.throws(() => tuner.train(rows), { code: "invalidState" });
  const events = await collect(run);
  assert.deepEqual(
    events.map(({ type }) => type),
    ["started", "step", "step", "step", "finished"],
  );
  assert.deepEqual(engineOf().given, { file: "rows.jsonl", rows, options: { seed: 3 } });
  await assert.rejects(collect(tuner.train([])), { code: "invalidData" });
});

test("a run pauses, stops and is aborted as others are", async () => {
  settings = { steps: 1000 };
  const tuner = await LanguageModel.load(source);
  const run = tuner.train(rows);
  await run.next();
  run.pause();
  await tuner.memoryBytes();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const pulled = engineOf().calls.length;
  await tuner.nextLogits("x");
  assert.equal(engineOf().calls.length, pulled + 1);
  run.stop();
  assert.equal((await collect(run)).at(-1).reason, "stopped");
  const controller = new AbortController();
  const second = tuner.train(rows, { signal: controller.signal });
  await second.next();
  controller.abort();
  await assert.rejects(collect(second), { code: "aborted" });
  assert.equal(engineOf().overlapped, false);
});

test("a text comes in pieces, one text at a time, and during a run too", async () => {
  settings = { steps: 30 };
  const tuner = await LanguageModel.load(source);
  const run = tuner.train(rows);
  await run.next();
  const pieces = [];
  const texts = await Promise.all([
    tuner.generate("x", { onText: (piece) => pieces.push(piece), which: "baseline", maxNewTokens: 4 }),
    tuner.generate([{ role: "user", content: "y" }]),
  ]);
  for (const { text, ending } of texts) assert.deepEqual([text, ending], ["Once upon a time", "length"]);
  assert.deepEqual(pieces, ["Once ", "upon ", "a ", "time"]);
  assert.equal(run.over, false);
  await collect(run);
  assert.equal(engineOf().overlapped, false);
});

test("an abort ends a text where it is, begun or not", async () => {
  settings = { words: Array(1000).fill("a ") };
  const tuner = await LanguageModel.load(source);
  const controller = new AbortController();
  const { signal } = controller;
  for (const onText of [() => controller.abort(), undefined]) {
    const { text, ending } = await tuner.generate("x", { signal, onText });
    assert.equal(ending, "stopped");
    // The word to stop arrives some pieces later.
    assert.ok(text.length < 1000, text);
  }
  engineOf().settings.words = ["b"];
  await assert.rejects(tuner.generate(""), { code: "invalidData", message: /prompt/ });
  assert.equal((await tuner.generate("x")).text, "b");
});

test("scores, previews, logits and files go out, and an adapter comes in", async () => {
  const tuner = await LanguageModel.load(source);
  const score = await tuner.evaluate(rows, { maxLength: 9, which: "baseline", file: "t" });
  assert.deepEqual(score, { tokens: 1, file: "t", options: { maxLength: 9 }, which: "baseline" });
  const template = "{text}:";
  assert.deepEqual(await tuner.classify(["x"], ["a", "b"], { template }), [
    { label: "a", text: "x", options: { template }, which: "baseline" },
  ]);
  assert.equal((await tuner.preview(rows[0], { completionOnlyLoss: false }))[0].learnt, true);
  assert.deepEqual(await tuner.nextLogits("abc"), Float32Array.of(3, 1));
  assert.deepEqual(await tuner.formats(), ["peft", "gguf"]);
  const files = await tuner.export();
  assert.deepEqual(files, [{ path: "peft.json", bytes: new TextEncoder().encode("{}") }]);
  await tuner.import(files);
  assert.deepEqual(engineOf().imported, files);
  assert.equal((await tuner.export({ format: "gguf" }))[0].path, "gguf.json");
  await assert.rejects(tuner.export({ format: "adapterhub" }), { code: "invalidOption", option: "format" });
});

const encode = (text) => new TextEncoder().encode(text);
const folder = [{ open: { path: "merged.json", size: 2 } }, encode("{"), encode("}"), { close: true }];
const merged = { format: "merged" };

test("an export's next piece is computed once the last is put away", async () => {
  const tuner = await LanguageModel.load(source);
  const computed = () => engineOf().calls.filter((call) => call === "nextPiece").length;
  const pieces = [];
  const slowly = async () => {
    for await (const piece of tuner.exportPieces(merged)) {
      assert.equal(computed(), pieces.length + 1);
      // Neither time nor other calls bring another piece, and a text is written meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal((await tuner.generate("x")).text, "Once upon a time");
      assert.equal(computed(), pieces.length + 1);
      pieces.push(piece);
    }
  };
  const slow = slowly();
  const second = collect(tuner.exportPieces(merged));
  await slow;
  assert.deepEqual(pieces, folder);
  assert.deepEqual(await second, folder);
  assert.equal(engineOf().overlapped, false);
});

test("leaving the loop ends an export, and the tuner stays usable", async () => {
  const tuner = await LanguageModel.load(source);
  const full = new Error("the disk is full");
  const failing = async () => {
    for await (const piece of tuner.exportPieces(merged)) if (piece instanceof Uint8Array) throw full;
  };
  await assert.rejects(failing(), (error) => error === full);
  assert.equal(engineOf().calls.at(-1), "stopExport");
  for await (const _ of tuner.exportPieces(merged)) break;
  assert.equal(engineOf().calls.filter((call) => call === "stopExport").length, 2);
  assert.deepEqual(await collect(tuner.exportPieces(merged)), folder);
  // The worker may go while a piece is being put away.
  const left = tuner.exportPieces(merged);
  await left.next();
  tuner.dispose();
  await assert.rejects(left.next(), { code: "aborted" });
});

test("dispose and traps reject what waits", async () => {
  const tuner = await LanguageModel.load(source);
  const waiting = [tuner.generate("x"), collect(tuner.train(rows)), tuner.export({ format: "gguf" })];
  tuner.dispose();
  for (const call of await Promise.allSettled(waiting)) assert.equal(call.reason?.code, "aborted");
  settings = { failAt: 2 };
  const second = await LanguageModel.load(source);
  engineOf().settings.error = new WebAssembly.RuntimeError("unreachable");
  await assert.rejects(collect(second.train(rows)), { code: "crashed" });
  await assert.rejects(second.generate("x"), { code: "crashed" });
});
