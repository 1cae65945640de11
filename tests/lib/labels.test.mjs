/**
 * Several labels for one text: rows as the page checks and edits them, and records of such runs.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { h } from "preact";
import { renderToString } from "preact-render-to-string";
import { loadPage, removePage } from "./page-under-test.mjs";

const { labels, checks, score, record, json, bars, classes, wrong } = await loadPage({
  bars: "ui/probability-bars.tsx",
  classes: "sort/parts/class-table.tsx",
  wrong: "sort/parts/misclassified.tsx",
  labels: "sort/labels.ts",
  checks: "sort/checks.ts",
  score: "sort/score.ts",
  record: "../lib/record/record.ts",
  json: "../lib/record/record-json.ts",
});
after(removePage);

const report = {
  accuracy: 2 / 3,
  interval: [0.2, 0.9],
  macroF1: 0.7,
  microF1: 0.8,
  loss: 0.5,
  count: 3,
  perClass: [{ label: "a", precision: 1, recall: 1, f1: 1, support: 2, threshold: 0.4 }],
  confusion: [],
};
const row = (text, label, predicted) => ({ text, label, predicted, logits: [1, 0], baselinePredicted: [] });
const evaluation = {
  labels: ["a", "b"],
  problemType: "multi_label_classification",
  baselines: { zeroShot: report, centroid: report, probe: report },
  tuned: report,
  bestBaseline: "probe",
  comparison: { difference: 0.3, low: -0.1, high: 0.6, pValue: 0.2, withinNoise: true, count: 3 },
  rows: [row("one", ["a", "b"], ["b", "a"]), row("two", ["a"], ["a", "b"]), row("three", [], [])],
};

const rows = (...given) => given.map(([text, label], id) => ({ id, text, label }));

test("rows with lists are counted by each label, and a list of none is no blank", () => {
  const found = checks.check(
    rows(
      ["one", ["a", "b"]],
      ["two", []],
      ["one", ["b", "a"]],
      ["one", ["a"]],
      ["three", "a"],
      ["four", ["a", " "]],
      ["five", ""],
    ),
  );
  assert.equal(found.several, true);
  assert.deepEqual(found.labels, [
    { label: "a", count: 4 },
    { label: "b", count: 2 },
  ]);
  assert.deepEqual(
    [...found.marks],
    [
      [2, "duplicate"],
      [3, "conflict"],
      [5, "empty"],
      [6, "empty"],
    ],
  );
  assert.equal(checks.check(rows(["one", "a"], ["two", "b"])).several, false);
});

test("labels are edited as words with a mark between them, and a string stays one", () => {
  assert.equal(labels.writtenOf(["a", "b"]), "a | b");
  assert.deepEqual(labels.labelFrom("a | b|c", ["a"]), ["a ", "b", "c"]);
  assert.deepEqual(labels.namesOf(labels.labelFrom("a | b | a", [])), ["a", "b"]);
  assert.deepEqual(labels.labelFrom("  ", ["a"]), []);
  assert.equal(labels.labelFrom("a | b", "a"), "a | b");
  assert.equal(labels.wordsOf([]), "no label");
  assert.equal(labels.isSame(["b", "a"], ["a", "b"]), true);
  assert.equal(labels.isSame(["a"], []), false);
});

test("what is compared is the accuracy, or the micro F1 where there is one", () => {
  assert.deepEqual(score.scoreOf({ accuracy: 0.5, microF1: null }), { value: 0.5, several: false, title: "Accuracy" });
  assert.deepEqual(score.scoreOf({ accuracy: 0.5 }).several, false);
  assert.deepEqual(score.scoreOf({ accuracy: 0.5, microF1: 0.8 }), { value: 0.8, several: true, title: "Micro F1" });
});

test("a prediction shows every label with its threshold, and names those that are given", () => {
  const prediction = {
    label: ["a", "c"],
    labels: ["a", "b", "c"],
    probabilities: [0.9, 0.2, 0.4],
    thresholds: [0.5, 0.5, 0.3],
  };
  const shown = renderToString(h(bars.ProbabilityBars, { title: "After:", prediction, testId: "try" }));
  assert.match(shown, /try-label">a, c</);
  assert.equal(shown.match(/try-threshold/g)?.length, 3);
  assert.equal(shown.match(/bar-top/g)?.length, 2);
  const none = renderToString(
    h(bars.ProbabilityBars, { title: "", prediction: { ...prediction, label: [] }, testId: "try" }),
  );
  assert.match(none, /try-label">no label</);
  const { thresholds: _, ...one } = { ...prediction, label: "a" };
  assert.doesNotMatch(
    renderToString(h(bars.ProbabilityBars, { title: "", prediction: one, testId: "try" })),
    /threshold/,
  );
});

test("results name thresholds, and rows of which a label is wrong", () => {
  const shown = renderToString(h(classes.ClassTable, { evaluation }));
  assert.match(shown, /Threshold/);
  assert.match(shown, />40\.0%</);
  const rows = renderToString(h(wrong.Misclassified, { evaluation }));
  assert.match(rows, /1 misclassified row/);
  assert.match(rows, /<td>a<\/td><td>a, b<\/td>/);
});

test("a record knows rows with all labels right, and comes back from JSON", () => {
  const recorder = new record.RunRecorder({ model: "owner/model", device: "cpu", data: "rows" });
  const started = { type: "started", labels: ["a", "b"], trainRows: 7, validationRows: 3, itemsKey: "1", warnings: [] };
  const options = { method: { type: "lora" }, numTrainEpochs: 1, learningRate: 1e-3, seed: 42 };
  recorder.take(started);
  recorder.take({
    type: "finished",
    reason: "completed",
    keptEpoch: 1,
    keptStage: "classify",
    steps: 1,
    trainLoss: [],
    evaluation,
    forgetting: { meanCosine: 0.9, lowest: 0.5, sentences: 200 },
    verdict: "Within noise.",
    options,
    exportBytes: 1,
    trainedParameters: 1,
    totalParameters: 2,
  });
  const made = recorder.finish();
  assert.deepEqual(made.correct, [true, false, true]);
  const read = json.recordFromJson(json.recordToJson(made, { rows: true }));
  assert.deepEqual(read, made);
  const wrong = JSON.parse(json.recordToJson(made));
  wrong.tuned.perClass[0].threshold = 2;
  assert.throws(() => json.recordFromJson(JSON.stringify(wrong)), /tuned\.perClass\[0\]\.threshold/);
});
