/**
 * What a run has tuned and no file in memory holds: if its engine is lost, another one computes it again from the run's last state.
 */
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { FakeEngine, installWorker } from "./fakes.mjs";
import { load, removeBuild } from "./package-under-test.mjs";
import { loadPage, removePage } from "./page-under-test.mjs";

const { EngineHost } = await load("worker/host");
const page = await loadPage({
  model: "desk/actions/model.ts",
  run: "write/actions/run.ts",
  files: "write/actions/export.ts",
  state: "write/state.ts",
  task: "write/task.ts",
});
after(removeBuild);
after(removePage);
Object.assign(globalThis.document, {
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
  visibilityState: "hidden",
});
Object.assign(globalThis.location, { href: "http://localhost/?checkpointSeconds=0" });

/** Tunes the whole model; without a finished run it has nothing to export. */
class Engine extends FakeEngine {
  isTuned = false;

  async nextEvent() {
    const event = await super.nextEvent();
    if (event?.type !== "finished") return event;
    this.isTuned = true;
    return { ...event, message: "It has ended.", options: { method: { type: "full" } } };
  }

  async startExport(format) {
    if (!this.isTuned) throw Object.assign(new Error("train a model first"), { code: "invalidState" });
    await super.startExport(format);
  }
}

/** @type {any} */
let settings;
const workers = installWorker(EngineHost, () => new Engine(settings));
const engineOf = () => workers.at(-1).engine;
const lose = () => workers.at(-1).dispatchEvent(new Event("error"));

beforeEach(() => {
  settings = { steps: 6 };
});

async function desk() {
  const store = new page.state.WriteStore();
  const model = new page.model.ModelActions(store, page.task.writeTask);
  const run = new page.run.WriteRunActions(store, model);
  const source = { files: [{ path: "config.json", blob: new Blob(["{}"]) }], name: "toy" };
  assert.ok(await model.load(source, { kind: "files", files: [] }));
  run.setOption("method.type", "full");
  return { store, model, run, files: new page.files.WriteExportActions(store, model) };
}

const rows = [{ id: 1, content: { text: "a" } }];
const merged = (/** @type {any} */ tuner) => tuner.export({ format: "merged" });

test("a model that was tuned as a whole comes back from the run's last state", async () => {
  const { store, model, run } = await desk();
  await run.start(rows);
  assert.equal(store.state.run.error, undefined);
  assert.equal(store.state.result.origin, "trained");
  assert.equal(store.state.result.files, undefined);
  lose();
  const both = await Promise.all([model.use(merged), model.use(merged)]);
  for (const [file] of both) assert.equal(file.path, "merged.json");
  const { calls, given, overlapped } = engineOf();
  assert.ok(calls.includes("resume"), `${calls}`);
  assert.equal(calls.filter((/** @type {string} */ call) => call === "start").length, 1);
  const events = ({ calls }) => calls.filter((/** @type {string} */ call) => call === "nextEvent").length;
  assert.ok(events(engineOf()) < events(workers.at(-2).engine), "a part of the steps");
  assert.deepEqual(given.options, { method: { type: "full" } });
  assert.equal(overlapped, false);
  const { result } = store.state;
  assert.equal(result.origin, "trained");
  assert.match(store.state.run.recovery, /was computed again from step \d on/);
  // And once more.
  lose();
  assert.equal((await model.use(merged))[0].path, "merged.json");
});

test("without a state it is computed from the start, and a run that was stopped ends where it did", async () => {
  Object.assign(globalThis.location, { href: "http://localhost/" });
  const { store, model, run } = await desk();
  settings = { steps: 400 };
  const running = run.start(rows);
  while (store.state.run.curves.step < 3) await new Promise((resolve) => setTimeout(resolve, 1));
  run.stop();
  await running;
  const { step } = store.state.run.curves;
  lose();
  assert.equal((await model.use(merged))[0].path, "merged.json");
  const { calls } = engineOf();
  assert.equal(calls.includes("resume"), false);
  assert.ok(calls.includes("stop"));
  const events = calls.filter((/** @type {string} */ call) => call === "nextEvent").length;
  assert.ok(events >= step && events < 300, `${events} events for ${step} steps`);
  assert.match(store.state.run.recovery, /was computed again from the start/);
  Object.assign(globalThis.location, { href: "http://localhost/?checkpointSeconds=0" });
});

test("if that engine is lost too, the result is given up in words", async () => {
  const { store, model, run } = await desk();
  await run.start(rows);
  const error = Object.assign(new Error("out of luck"), { code: "crashed", fatal: true });
  settings = { steps: 6, failAt: 6, error };
  lose();
  await assert.rejects(model.use(merged));
  assert.equal(store.state.result.origin, undefined);
  assert.match(store.state.run.error, /^The engine stopped \(.*\), and the tuned model is lost with it: .*out of luck/);
  settings = { steps: 6 };
  await assert.rejects(model.use(merged), { message: /train a model first/ });
});

test("another model or another adapter takes its place", async () => {
  const { store, model, run, files } = await desk();
  await run.start(rows);
  const bytes = new TextEncoder().encode("{}");
  const paths = ["adapter_config.json", "adapter_model.safetensors"];
  const folder = { name: "adapter", files: paths.map((path) => ({ path, blob: new Blob([bytes]) })) };
  await files.import(folder);
  assert.equal(store.state.result.importError, undefined);
  lose();
  await model.use((/** @type {any} */ tuner) => tuner.nextLogits("a"));
  assert.equal(engineOf().calls.includes("start"), false);
  assert.deepEqual(
    engineOf().imported.map((/** @type {any} */ { path }) => path),
    paths,
  );
});
