/**
 * Records made from the engine's events: they keep what a run reported, and bad files are refused by the field that is wrong.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { FakeEngine, installWorker } from "./fakes.mjs";
import { load, removeBuild } from "./package-under-test.mjs";

const { EngineHost } = await load("worker/host");
const { compareRuns, RunRecorder, recordFromJson, recordToJson } = await load("index");
const workers = installWorker(EngineHost, () => new FakeEngine());
after(removeBuild);

const report = (accuracy, count = 3) => ({
  accuracy,
  interval: [0, 1],
  macroF1: accuracy,
  loss: 0.5,
  count,
  perClass: [{ label: "a", precision: 1, recall: 1, f1: 1, support: count }],
  confusion: [[count]],
});
const baselines = { zeroShot: report(0.1), centroid: report(0.2), probe: report(0.3) };
const row = (text, label, predicted) => ({ text, label, predicted, logits: [1, 0], baselinePredicted: "a" });
const evaluation = {
  labels: ["a", "b"],
  baselines,
  tuned: report(2 / 3),
  bestBaseline: "probe",
  comparison: { difference: 0.3, low: -0.1, high: 0.6, pValue: 0.2, withinNoise: true, count: 3 },
  rows: [row("first", "a", "a"), row("second", "b", "a"), row("third", "b", "b")],
};
const options = { method: { type: "full" }, numTrainEpochs: 2, learningRate: 2e-5, seed: 42 };

const started = {
  type: "started",
  labels: ["a", "b"],
  trainRows: 17,
  validationRows: 3,
  itemsKey: "1234",
  warnings: [],
};
const step = (at, more = {}) => ({
  type: "step",
  stage: "classify",
  step: at,
  totalSteps: 4,
  epoch: 1,
  loss: 1 / at,
  groups: [{ name: "head", learningRate: at / 100, frozen: false }],
  ms: at * 10,
  ...more,
});
const judged = (at, accuracy) => ({
  type: "evaluation",
  stage: "classify",
  step: at,
  epoch: 1,
  validation: report(accuracy),
});
const finished = (more = {}) => ({
  type: "finished",
  reason: "completed",
  keptEpoch: 1,
  keptStage: "classify",
  steps: 4,
  trainLoss: [],
  evaluation,
  forgetting: { meanCosine: 0.9, lowest: 0.5, sentences: 200 },
  verdict: "Within noise.",
  options,
  exportBytes: 1000,
  trainedParameters: 10,
  totalParameters: 100,
  ...more,
});

function record(events, context = {}) {
  const recorder = new RunRecorder({ model: "owner/model", device: "cpu", data: "TREC", ...context });
  for (const event of events) recorder.take(event);
  return recorder.finish();
}

const plain = () =>
  record([
    started,
    { type: "baselines", validation: baselines },
    { type: "recipe", reasons: ["few rows"], options },
    ...[1, 2, 3, 4].map((at) => step(at)),
    judged(4, 0.5),
    finished(),
  ]);

test("a record holds settings, measures, curve and which rows were right", () => {
  const made = plain();
  assert.equal(made.name, "full · TREC");
  assert.match(made.id, /^[\da-f]{32}$/);
  assert.notEqual(plain().id, made.id);
  assert.deepEqual(made.correct, [true, false, true]);
  assert.deepEqual(made.reasons, ["few rows"]);
  assert.equal(made.msPerStep, 25);
  assert.ok(made.seconds >= 0);
  assert.deepEqual(
    made.curve.map(({ step: at, loss }) => [at, loss]),
    [1, 2, 3, 4].map((at) => [at, 1 / at]),
  );
  assert.deepEqual(made.evaluations, [{ step: 4, epoch: 1, stage: "classify", accuracy: 0.5, loss: 0.5 }]);
  assert.equal(made.rows.length, 3);
  assert.equal(record([started, finished()], { name: "mine" }).name, "mine");
});

test("a record of pairs holds both texts", () => {
  const rows = evaluation.rows.map((one, index) => ({ ...one, textPair: `other ${index}` }));
  const made = record([started, finished({ evaluation: { ...evaluation, rows } })]);
  assert.deepEqual(made.rows[1], { text: "second", textPair: "other 1", label: "b", predicted: "a" });
  assert.deepEqual(recordFromJson(recordToJson(made, { rows: true })).rows, made.rows);
  assert.ok(!("textPair" in plain().rows[0]));
});

test("rates are thinned out, but never where something freezes or a stage begins", () => {
  const steps = Array.from({ length: 1000 }, (_, index) => {
    const frozen = index < 500;
    const groups = [{ name: "layer 0", learningRate: 1e-5, frozen }];
    return step(index + 1, { totalSteps: 1000, groups, stage: index < 250 ? "contrastive" : "classify" });
  });
  const { rates, curve } = record([started, ...steps, finished()]);
  assert.equal(curve.length, 1000);
  assert.ok(rates.length <= 103, `${rates.length} samples`);
  for (const at of [1, 251, 501, 1000])
    assert.ok(
      rates.some((rate) => rate.step === at),
      `step ${at}`,
    );
});

test("of several seeds the best one's curve is kept", () => {
  const run = (headSeed, value) => ({
    headSeed,
    dataSeed: headSeed,
    reason: value === null ? "failed" : "completed",
    value,
    loss: value === null ? null : 1,
    keptEpoch: 1,
    steps: 2,
  });
  const seeds = { runs: [run(1, 0.9), run(2, null)], mean: 0.65, deviation: 0.35, best: 0 };
  const made = record([
    started,
    { type: "seed", index: 0, count: 2, headSeed: 1, dataSeed: 1 },
    step(1, { loss: 7 }),
    judged(1, 0.9),
    { type: "seedFinished", index: 0, ...seeds.runs[0] },
    { type: "seed", index: 1, count: 2, headSeed: 2, dataSeed: 2 },
    step(1, { loss: 8 }),
    judged(1, 0.4),
    { type: "seedFinished", index: 1, ...seeds.runs[1] },
    finished({ seeds }),
  ]);
  assert.deepEqual(made.curve, [{ step: 1, loss: 7 }]);
  assert.equal(made.evaluations[0].accuracy, 0.9);
  assert.equal(made.rates.length, 1);
  const runs = seeds.runs.map(({ value, ...rest }) => ({ ...rest, accuracy: value }));
  assert.deepEqual(recordFromJson(recordToJson(made)).seeds, { ...seeds, runs });
});

test("a loss that is no number leaves no hole in the file", () => {
  const made = record([started, step(1), step(2, { loss: Number.NaN }), finished({ reason: "diverged" })]);
  assert.deepEqual(made.curve, [{ step: 1, loss: 1 }]);
  assert.equal(recordFromJson(recordToJson(made)).reason, "diverged");
});

test("a run that has not finished has no record", () => {
  assert.throws(() => record([started, step(1)]), { code: "invalidState" });
});

test("a record comes back from its file, with texts only where they were asked for", () => {
  const made = plain();
  const { rows, ...rest } = made;
  assert.deepEqual(recordFromJson(recordToJson(made)), rest);
  assert.deepEqual(recordFromJson(recordToJson(made, { rows: true })), { ...rest, rows });
  assert.doesNotMatch(recordToJson(made), /"text"/);
  const shuffled = Object.fromEntries(Object.entries(made).reverse());
  assert.equal(recordToJson(shuffled), recordToJson(made));
});

test("a file that is no record is refused by field", () => {
  const good = JSON.parse(recordToJson(plain(), { rows: true }));
  const cases = [
    [{ version: 2 }, /version: expected 1, found 2/],
    [{ device: "gpu" }, /device: expected "webgpu" or "cpu", found "gpu"/],
    [{ correct: [true, 1, true] }, /correct\[1\]: expected true or false, found 1/],
    [{ correct: [true] }, /correct: expected 3 entries/],
    [{ tuned: { ...good.tuned, accuracy: 1.5 } }, /tuned\.accuracy: expected a number from 0 to 1, found 1\.5/],
    [{ curve: [{ step: 1, loss: null }] }, /curve\[0\]\.loss: expected a number, found null/],
    [{ labels: undefined }, /labels: expected a list, found nothing/],
    [{ options: { ...good.options, method: "lora" } }, /options\.method: expected an object, found "lora"/],
    [{ rows: [] }, /rows: expected 3 entries/],
  ];
  for (const [change, message] of cases) {
    const json = JSON.stringify({ ...good, ...change });
    assert.throws(() => recordFromJson(json), { name: "WebtuneError", code: "invalidFile", message });
  }
  for (const json of ["", "[]", "null", '"text"']) assert.throws(() => recordFromJson(json), { code: "invalidFile" });
  assert.equal("stray" in recordFromJson(JSON.stringify({ ...good, stray: 1 })), false);
});

test("two runs are compared by the engine, in one shared worker", async () => {
  assert.deepEqual(await compareRuns([true, false], [true, true]), { difference: 0.5, count: 2 });
  assert.deepEqual(await compareRuns([true], [false]), { difference: -1, count: 1 });
  assert.equal(workers.length, 1);
});
