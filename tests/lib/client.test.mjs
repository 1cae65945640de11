/**
 * The order of calls, events, ends and errors of the package, with an engine that only pretends.
 */
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { FakeEngine, fakeGpu, installWorker } from "./fakes.mjs";
import { load, removeBuild } from "./package-under-test.mjs";

const { EngineHost } = await load("worker/host");
const { TextClassifier, parseExamples, WebtuneError } = await load("index");
const source = { files: [{ path: "config.json", blob: new Blob(["{}"]) }], name: "toy" };
const examples = [{ text: "a", label: "b" }];
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

test("loading tells phases and bytes, and what was loaded", async () => {
  const progress = [];
  const tuner = await TextClassifier.load(source, {
    device: "auto",
    onProgress: (step) => progress.push(step),
    memoryLimitBytes: 7,
  });
  assert.equal(tuner.device.device, "cpu");
  assert.match(tuner.device.reason, /no WebGPU/);
  assert.equal(tuner.model.name, "toy");
  assert.equal(tuner.model.storage, "f32");
  assert.deepEqual(workers.at(-1).created, [{ device: "cpu", limit: 7 }]);
  assert.equal(progress.filter((step) => "phase" in step).length, 4);
  assert.deepEqual(progress.at(-1), { file: "config.json", loaded: 2, total: 2 });
  assert.equal((await TextClassifier.load(source, { storage: "f16" })).model.storage, "f16");
});

test("a hardware adapter that fails leaves auto with the CPU engine, and webgpu with its error", async () => {
  settings = { gpu: fakeGpu({ memory: 2 ** 30, binding: 2 ** 28 }), refuses: "webgpu" };
  const tuner = await TextClassifier.load(source, { device: "auto" });
  assert.equal(tuner.device.device, "cpu");
  assert.match(tuner.device.reason, /could not be used \(no webgpu today\)/);
  await assert.rejects(TextClassifier.load(source, { device: "webgpu" }), /no webgpu today/);
});

test("loading fails with the engine's code, and ends its worker", async () => {
  await assert.rejects(TextClassifier.load(source, { device: "webgpu" }), { name: "WebtuneError", code: "noWebgpu" });
  assert.ok(workers.at(-1).terminated);
  await assert.rejects(TextClassifier.load(source, { memoryLimitBytes: -1 }), { code: "invalidOption" });
});

test("loading can be aborted, before and on the way", async () => {
  await assert.rejects(TextClassifier.load(source, { signal: AbortSignal.abort() }), { code: "aborted" });
  const controller = new AbortController();
  const loading = TextClassifier.load(source, { signal: controller.signal, onProgress: () => controller.abort() });
  await assert.rejects(loading, { code: "aborted" });
  assert.ok(workers.at(-1).terminated);
});

test("a slow reader loses no event", async () => {
  settings = { steps: 5 };
  const tuner = await TextClassifier.load(source);
  const run = tuner.train(examples, { seed: 3 });
  while (!run.over) await new Promise((resolve) => setTimeout(resolve, 5));
  const events = await collect(run);
  assert.deepEqual(
    events.map(({ type }) => type),
    ["started", "step", "step", "step", "step", "step", "finished"],
  );
  assert.deepEqual(engineOf().given, { file: "examples", rows: examples, options: { seed: 3 } });
  assert.deepEqual(await run.next(), { done: true, value: undefined });
});

test("predictions come in between steps, never at the same time", async () => {
  settings = { steps: 20 };
  const tuner = await TextClassifier.load(source);
  const run = tuner.train(examples);
  await run.next();
  const predictions = await Promise.all([tuner.predict(["x"]), tuner.predict(["y"], { which: "baseline" })]);
  assert.deepEqual(
    predictions.flat().map(({ label }) => label),
    ["tuned:x", "baseline:y"],
  );
  assert.equal(run.over, false);
  await collect(run);
  assert.equal(engineOf().overlapped, false);
});

test("a pair of texts goes to the engine as it is, next to single texts", async () => {
  const tuner = await TextClassifier.load(source);
  const asked = ["x", { text: "a", textPair: "b" }];
  const [single, pair] = await tuner.predict(asked);
  assert.equal(single.label, "tuned:x");
  assert.equal(pair.label, 'tuned:{"text":"a","textPair":"b"}');
  const rows = [{ text: "a", textPair: "b", label: "c" }];
  assert.deepEqual((await tuner.evaluate(rows)).rows, rows);
  await collect(tuner.train(rows));
  assert.deepEqual(engineOf().given.rows, rows);
});

test("only one run at a time", async () => {
  const tuner = await TextClassifier.load(source);
  const run = tuner.train(examples);
  assert.throws(() => tuner.train(examples), { code: "invalidState" });
  await collect(run);
  assert.equal((await collect(tuner.train(examples))).length, 5);
});

test("pause holds the steps and lets predictions through; resume goes on", async () => {
  settings = { steps: 30 };
  const tuner = await TextClassifier.load(source);
  const run = tuner.train(examples);
  await run.next();
  run.pause();
  await tuner.memoryBytes();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const pulled = engineOf().calls.length;
  await tuner.predict(["x"]);
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(engineOf().calls.length, pulled + 1);
  assert.equal(run.over, false);
  run.resume();
  assert.equal((await collect(run)).at(-1).reason, "completed");
});

test("stop ends a run, paused or not, with a finished event", async () => {
  settings = { steps: 1000 };
  const tuner = await TextClassifier.load(source);
  for (const paused of [false, true]) {
    const run = tuner.train(examples);
    await run.next();
    if (paused) run.pause();
    run.stop();
    assert.equal((await collect(run)).at(-1).reason, "stopped");
  }
  assert.equal(engineOf().overlapped, false);
});

test("a stop before the first step, and one after the last, do no harm", async () => {
  const tuner = await TextClassifier.load(source);
  const early = tuner.train(examples);
  early.stop();
  const events = await collect(early);
  assert.equal(events.at(-1).reason, "stopped");
  assert.ok(events.every(({ type }) => type !== "step"));
  const late = tuner.train(examples);
  await collect(late);
  late.stop();
  assert.equal(engineOf().calls.filter((name) => name === "stop").length, 1);
});

test("leaving the loop ends the run and frees the tuner for the next", async () => {
  settings = { steps: 1000 };
  const tuner = await TextClassifier.load(source);
  for await (const event of tuner.train(examples)) if (event.type === "step") break;
  assert.equal(engineOf().calls.filter((name) => name === "stop").length, 1);
  const run = tuner.train(examples);
  run.stop();
  await collect(run);
});

test("an abort keeps the best state and throws once", async () => {
  settings = { steps: 1000 };
  const tuner = await TextClassifier.load(source);
  const controller = new AbortController();
  const run = tuner.train(examples, { signal: controller.signal });
  await run.next();
  controller.abort();
  await assert.rejects(collect(run), { name: "WebtuneError", code: "aborted" });
  assert.ok(engineOf().calls.includes("stop"));
  assert.deepEqual(await run.next(), { done: true, value: undefined });
  await tuner.predict(["still here"]);
  await assert.rejects(collect(tuner.train(examples, { signal: controller.signal })), { code: "aborted" });
});

test("errors of examples reach the loop with their code", async () => {
  const tuner = await TextClassifier.load(source);
  const failing = tuner.train([], { file: "rows.csv" });
  // The fields cross the worker's border, and the result fails with the same error as the loop.
  const fields = { code: "invalidData", message: /expected some/, file: "rows.csv", row: 7, option: undefined };
  await assert.rejects(collect(failing), fields);
  await assert.rejects(failing.result(), fields);
  assert.equal((await collect(tuner.train(examples))).length, 5);
});

/** So that the next call without a model starts a worker of its own. */
async function endAll() {
  for (const worker of workers) worker.host.fatal(new Error("gone"));
  await new Promise((resolve) => setTimeout(resolve, 5));
}

/** What the engine's panic hook throws. */
const panic = () => Object.assign(new Error("panicked at src/x.rs:1:2:\nindex out of bounds"), { code: "crashed" });

test("a panic of the engine rejects everything with its message", async () => {
  settings = { failAt: 2, error: panic() };
  const tuner = await TextClassifier.load(source);
  const run = tuner.train(examples);
  await run.next();
  await assert.rejects(collect(run), { code: "crashed", message: /index out of bounds$/ });
  await assert.rejects(tuner.predict(["x"]), { code: "crashed" });
  assert.throws(() => tuner.train(examples), { code: "crashed" });
  assert.ok(workers.at(-1).terminated);
});

test("a panic in a call that answers at once ends the worker too", async () => {
  await endAll();
  const one = await parseExamples("a\tb");
  assert.equal(one.text, "a\tb");
  engineOf().settings.error = panic();
  await assert.rejects(parseExamples("x", "panic"), { code: "crashed", message: /index out of bounds$/ });
  assert.ok(workers.at(-1).terminated);
  const count = workers.length;
  assert.equal((await parseExamples("c")).text, "c");
  assert.equal(workers.length, count + 1);
});

test("files are not taken while a run goes on, whose result would take their place", async () => {
  const tuner = await TextClassifier.load(source);
  const run = tuner.train(examples);
  await assert.rejects(tuner.import([]), { code: "invalidState", message: /going on/ });
  await run.result();
  await tuner.import([]);
  assert.deepEqual(engineOf().imported, []);
});

test("an engine that lost its graphics card or its memory ends under that code", async () => {
  const report = (code, more) => Object.assign(new Error("the words"), { code, ...more });
  const trap = new WebAssembly.RuntimeError("unreachable");
  for (const [given, code, message] of [
    [{ error: report("deviceFailed") }, "deviceFailed", /^the words$/],
    [{ error: report("outOfMemory", { fatal: true }) }, "outOfMemory", /^the engine ran out of memory: the words$/],
    [{ error: trap, refused: 3 * 2 ** 20 }, "outOfMemory", /refused 3 MiB more$/],
    [{ error: trap, refused: 0 }, "crashed", /unreachable/],
  ]) {
    settings = { failAt: 2, ...given };
    const tuner = await TextClassifier.load(source);
    assert.equal(tuner.closed, undefined);
    await assert.rejects(collect(tuner.train(examples)), { code, message });
    assert.equal(tuner.closed.code, code);
    await assert.rejects(tuner.predict(["x"]), { code });
    assert.ok(workers.at(-1).terminated);
  }
  // What merely does not fit leaves the engine as it was.
  settings = { failAt: 2, error: report("outOfMemory") };
  const tuner = await TextClassifier.load(source);
  await assert.rejects(collect(tuner.train(examples)), { code: "outOfMemory" });
  assert.equal((await tuner.predict(["x"])).length, 1);
});

test("a graphics card that gives less than was asked for sets the limits", async () => {
  settings = { gpu: fakeGpu({ memory: 2 ** 30, binding: 2 ** 28 }) };
  const tuner = await TextClassifier.load(source);
  assert.equal(tuner.device.device, "webgpu");
  assert.deepEqual(workers.at(-1).created, [{ device: "webgpu", limit: 2 ** 30, largestTensor: 2 ** 28 }]);
  assert.equal(tuner.device.memoryLimitBytes, 2 ** 30);
  assert.equal(tuner.device.largestTensorBytes, 2 ** 28);
  const cpu = await TextClassifier.load(source, { device: "cpu", memoryLimitBytes: 9 });
  assert.equal(cpu.device.memoryLimitBytes, 9);
  assert.equal(cpu.device.largestTensorBytes, undefined);
});

test("a trap of the engine, or of a promise that nobody awaits, is a crash", async () => {
  settings = { failAt: 2, error: new WebAssembly.RuntimeError("unreachable") };
  const tuner = await TextClassifier.load(source);
  await assert.rejects(collect(tuner.train(examples)), { code: "crashed", message: /unreachable/ });
  const second = await TextClassifier.load(source);
  workers.at(-1).host.stray(new Error("of somebody else"));
  assert.equal((await second.predict(["x"])).length, 1);
  workers.at(-1).host.stray(panic());
  await assert.rejects(second.predict(["x"]), { code: "crashed" });
});

test("an engine that could not be fetched is fetched again at the next call", async () => {
  await endAll();
  settings = { unreachable: 1 };
  await assert.rejects(parseExamples("x"), { message: /Failed to fetch/ });
  const count = workers.length;
  assert.equal((await parseExamples("x")).text, "x");
  assert.equal(workers.length, count);
});

test("a run's result is its last event", async () => {
  const tuner = await TextClassifier.load(source);
  assert.equal((await tuner.train(examples).result()).reason, "completed");
  const controller = new AbortController();
  const run = tuner.train(examples, { signal: controller.signal });
  await run.next();
  controller.abort();
  await assert.rejects(run.result(), { code: "aborted" });
});

test("a worker that can't start is a crash with a reason", async () => {
  const count = workers.length;
  const loading = TextClassifier.load(source);
  // which module it loads is found out first
  while (workers.length === count) await new Promise(setImmediate);
  workers.at(-1).dispatchEvent(new Event("error"));
  await assert.rejects(loading, { code: "crashed", message: /could not be loaded/ });
});

test("dispose rejects what waits", async () => {
  settings = { steps: 1000 };
  const tuner = await TextClassifier.load(source);
  const run = tuner.train(examples);
  await run.next();
  const waiting = [tuner.predict(["x"]), tuner.evaluate(examples), tuner.export(), collect(run)];
  tuner.dispose();
  for (const call of await Promise.allSettled(waiting)) assert.equal(call.reason?.code, "aborted");
  assert.ok(workers.at(-1).terminated);
  await assert.rejects(tuner.memoryBytes(), { code: "aborted" });
});

test("rows are scored alone, or next to the baselines", async () => {
  const tuner = await TextClassifier.load(source);
  assert.deepEqual(await tuner.score([{ text: "x", label: "a" }]), { labels: ["a"] });
  assert.deepEqual(await tuner.evaluate(examples), { rows: examples });
  assert.deepEqual(engineOf().calls.slice(-2), ["score", "evaluate"]);
});

test("adapters go out and come in", async () => {
  const tuner = await TextClassifier.load(source);
  const files = await tuner.export();
  assert.equal(new TextDecoder().decode(files[0].bytes), "{}");
  await tuner.import(files);
  assert.deepEqual(engineOf().imported, files);
  // The caller's bytes are copied, not taken.
  assert.equal(files[0].bytes.length, 2);
  assert.equal(await tuner.memoryBytes(), 1024);
  assert.equal(await tuner.bufferBytes(), 2048);
});

test("arguments that can't be sent are the caller's mistake", async () => {
  const tuner = await TextClassifier.load(source);
  await assert.rejects(tuner.predict([() => 1]), { code: "invalidOption", message: /predict/ });
});

test("the shared worker ends once nothing was asked of it for a minute, and another one takes the next call", async (t) => {
  const alive = () => workers.filter(({ terminated }) => !terminated).length;
  const { setTimeout: wait } = globalThis;
  /** @type {(() => void)[]} */
  const idle = [];
  // The fakes' own timers are short.
  t.mock.method(globalThis, "setTimeout", (/** @type {() => void} */ work, /** @type {number} */ ms) => {
    if (ms < 10_000) return wait(work, ms);
    idle.push(work);
    return wait(() => undefined, 0);
  });
  assert.equal((await parseExamples("a")).text, "a");
  const { length } = workers;
  const before = alive();
  assert.equal((await parseExamples("b")).text, "b");
  assert.equal(workers.length, length);
  idle.at(-1)?.();
  assert.equal(alive(), before - 1);
  assert.equal((await parseExamples("c")).text, "c");
  assert.equal(workers.length, length + 1);
  assert.equal(alive(), before);
});

test("tables are parsed in one shared worker, and a crash of it passes", async () => {
  await endAll();
  assert.deepEqual(await parseExamples("a\tb"), { name: "pasted text", text: "a\tb", options: {} });
  const count = workers.length;
  const file = new File(["x,y"], "rows.csv");
  assert.equal((await parseExamples(file, undefined, { format: "csv" })).name, "rows.csv");
  assert.equal(workers.length, count);
  workers.at(-1).host.fatal(new Error("gone"));
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal((await parseExamples(new TextEncoder().encode("z"), "n")).text, "z");
  assert.equal(workers.length, count + 1);
});

test("errors are of the class that the package exports", async () => {
  await assert.rejects(TextClassifier.load({}), (error) => error instanceof WebtuneError);
});
