/**
 * A classifier that another tool made, on the page: its files name no labels, which the page asks for, and hold no baselines to compare it with.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { h } from "preact";
import { renderToString } from "preact-render-to-string";
import { FakeEngine, installWorker } from "./fakes.mjs";
import { load, removeBuild } from "./package-under-test.mjs";
import { loadPage, removePage } from "./page-under-test.mjs";

const { EngineHost } = await load("worker/host");
const page = await loadPage({
  model: "desk/actions/model.ts",
  files: "sort/actions/export.ts",
  names: "sort/parts/label-names.tsx",
  labelled: "sort/parts/labelled-file.tsx",
  predict: "sort/actions/predict.ts",
  state: "sort/state.ts",
  task: "sort/task.ts",
});
after(removeBuild);
after(removePage);

const report = { accuracy: 0.75, interval: [0.5, 0.9], macroF1: 0.7, loss: 0.6, perClass: [], confusion: [] };

/** Three labels, named by labels.json if there is one. */
class Engine extends FakeEngine {
  async importFiles(files) {
    const given = files.find(({ path }) => path === "labels.json");
    const names = given && JSON.parse(new TextDecoder().decode(given.bytes)).labels;
    if (names && names.length !== 3)
      throw Object.assign(new Error(`labels: expected 3 names, got ${names.length}`), { code: "invalidFile" });
    this.labels = names ?? ["LABEL_0", "LABEL_1", "LABEL_2"];
    await super.importFiles(files);
  }

  async evaluate(rows) {
    if (!this.imported.some(({ path }) => path === "baseline_head.safetensors"))
      throw Object.assign(new Error("nothing to compare with"), { code: "invalidState" });
    const baselines = { zeroShot: report, centroid: report, probe: report };
    const comparison = { difference: 0.1, low: -0.1, high: 0.3, pValue: 0.3, withinNoise: true, count: rows.length };
    return { tuned: { ...report, count: rows.length }, baselines, bestBaseline: "probe", comparison };
  }

  async score(rows) {
    return { tuned: { ...report, count: rows.length } };
  }

  async predict(texts) {
    return texts.map(() => ({ label: this.labels[0], labels: this.labels }));
  }
}

const workers = installWorker(EngineHost, () => new Engine());
const engineOf = () => workers.at(-1).engine;

async function desk() {
  const store = new page.state.SortStore();
  const model = new page.model.ModelActions(store, page.task.sortTask);
  const source = { files: [{ path: "config.json", blob: new Blob(["{}"]) }], name: "toy" };
  assert.ok(await model.load(source, { kind: "files", files: [] }));
  const actions = new page.files.SortExportActions(store, model);
  return { store, model, actions, predict: new page.predict.PredictActions(model) };
}

/** @param {Record<string, string>} files */
const folder = (files) => ({
  name: "adapter",
  files: Object.entries(files).map(([path, text]) => ({ path, blob: new Blob([text]) })),
});
const ofPeft = { "adapter_config.json": "{}", "adapter_model.safetensors": "1" };

test("the names are asked for, and taken in order", async () => {
  const { store, model, actions } = await desk();
  await actions.import(folder(ofPeft));
  assert.equal(store.state.result.importError, undefined);
  const { unnamedLabels: labels } = store.state.result;
  assert.deepEqual(labels, ["LABEL_0", "LABEL_1", "LABEL_2"]);
  const asked = renderToString(h(page.names.LabelNames, { labels, disabled: false, onName: () => undefined }));
  assert.match(asked, /Names of its 3 labels/);
  assert.match(asked, /they are called LABEL_0, LABEL_1, LABEL_2/);
  const { version } = store.state.result;

  await actions.nameLabels("no, yes");
  assert.match(store.state.result.importError, /expected 3 names, got 2/);
  assert.equal(store.state.result.unnamedLabels, labels, "asked still");

  await actions.nameLabels(" no , maybe,yes ");
  assert.deepEqual(engineOf().labels, ["no", "maybe", "yes"]);
  const { result } = store.state;
  assert.deepEqual([result.unnamedLabels, result.importError], [undefined, undefined]);
  assert.match(result.importNote, /no, maybe, yes/);
  assert.ok(result.version > version, "what was tried is tried again");
  // What another engine would be given is the named adapter.
  assert.deepEqual(
    result.files.map((/** @type {any} */ { path }) => path),
    ["peft.json"],
  );

  await actions.import(folder(ofPeft));
  await actions.nameLabels("Yes, please\nNo, thanks\nPerhaps\n");
  assert.deepEqual(engineOf().labels, ["Yes, please", "No, thanks", "Perhaps"]);
  model.tuner.dispose();
});

test("an adapter that names its labels is not asked", async () => {
  const { store, model, actions } = await desk();
  await actions.import(folder({ ...ofPeft, "labels.json": JSON.stringify({ labels: ["a", "b", "c"] }) }));
  assert.equal(store.state.result.importError, undefined);
  assert.equal(store.state.result.unnamedLabels, undefined);
  model.tuner.dispose();
});

test("a file of labelled texts is scored, next to the baselines where there are some", async () => {
  const { model, actions, predict } = await desk();
  const content = new Blob(["text,label\na\nb\n"]);
  await actions.import(folder(ofPeft));
  const alone = await predict.measure("test.csv", content);
  const words = renderToString(h(page.labelled.Figures, { measured: alone }));
  assert.match(
    words,
    /test\.csv: 75\.0% of 2 texts are labelled rightly \(95% interval 50\.0% to 90\.0%\); macro F1 70\.0%/,
  );
  assert.match(words, /There is nothing to compare it with: the adapter came without baselines/);
  assert.doesNotMatch(words, /Linear probe/);

  await actions.import(folder({ ...ofPeft, "baseline_head.safetensors": "1" }));
  const compared = await predict.measure("test.csv", content);
  const table = renderToString(h(page.labelled.Figures, { measured: compared }));
  assert.match(table, /75\.0% of 2 texts/);
  assert.match(table, /Linear probe/);
  assert.doesNotMatch(table, /nothing to compare/);
  model.tuner.dispose();
});
