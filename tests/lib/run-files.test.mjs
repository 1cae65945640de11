/**
 * Run files that were spoilt at random: each is refused with an error of the package, or can be shown and stored like any other. A run of
 * any length costs the page the same for each step. `WEBTUNE_FUZZ_INPUTS` sets how many files are tried, `WEBTUNE_FUZZ_SEED` which.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { h } from "preact";
import { renderToString } from "preact-render-to-string";
import { loadPage, removePage } from "./page-under-test.mjs";

const { trial, run, state, lib } = await loadPage({
  trial: "sort/run-trial.tsx",
  run: "sort/actions/run.ts",
  state: "sort/state.ts",
  lib: "../lib/index.ts",
});
after(removePage);

const INPUTS = Number(process.env.WEBTUNE_FUZZ_INPUTS ?? 3000);
const SEED = Number(process.env.WEBTUNE_FUZZ_SEED ?? Date.now() % 2 ** 31);

/** Numbers from 0 to 1, the same for a seed (mulberry32). @param {number} seed */
function randomOf(seed) {
  let at = seed >>> 0;
  return () => {
    at = (at + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(at ^ (at >>> 15), at | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const report = {
  accuracy: 0.5,
  interval: [0.2, 0.9],
  macroF1: 0.4,
  loss: 0.7,
  count: 2,
  perClass: ["a", "b"].map((label) => ({ label, precision: 1, recall: 0.5, f1: 0.6, support: 1 })),
  confusion: [
    [1, 0],
    [1, 0],
  ],
};
const method = {
  type: "lora",
  r: 8,
  loraAlpha: 16,
  targetModules: ["query", "value"],
  layersToTransform: [0, 1],
  useDora: false,
  initLoraWeights: true,
  rankPattern: { query: 4 },
  bias: "none",
};
const seedRun = { headSeed: 1, dataSeed: 1, reason: "completed", accuracy: 0.5, loss: 0.7, keptEpoch: 1, steps: 2 };
const valid = {
  version: 1,
  id: "1",
  name: "lora · rows",
  createdAt: "2026-01-01T10:00:00.000Z",
  model: "owner/model",
  device: "cpu",
  data: "rows.csv",
  options: {
    method,
    numTrainEpochs: 2,
    learningRate: 2e-4,
    recipe: "fast",
    maxLength: null,
    contrastive: { steps: 3, batchSize: 4, learningRate: 1e-4, temperature: 0.1 },
    labelDescriptions: { a: "the first" },
    frozenCache: true,
  },
  reasons: ["few rows"],
  labels: ["a", "b"],
  trainRows: 8,
  validationRows: 2,
  itemsKey: "k",
  correct: [true, false],
  tuned: report,
  baselines: { zeroShot: report, centroid: report, probe: report },
  bestBaseline: "probe",
  comparison: { difference: 0.1, low: -0.1, high: 0.3, pValue: 0.3, withinNoise: true, count: 2 },
  verdict: "Within the noise.",
  forgetting: { meanCosine: 0.9, lowest: 0.5, sentences: 200 },
  trainedParameters: 10,
  totalParameters: 100,
  exportBytes: 1000,
  seconds: 3,
  msPerStep: 12,
  steps: 2,
  keptEpoch: 1,
  keptStage: "classify",
  reason: "completed",
  curve: [1, 2].map((step) => ({ step, loss: 1 / step })),
  evaluations: [{ step: 2, epoch: 1, stage: "classify", accuracy: 0.5, loss: 0.7 }],
  rates: [{ step: 1, groups: [{ name: "head", learningRate: 1e-3, frozen: false }] }],
  seeds: {
    runs: [seedRun, { ...seedRun, headSeed: 2, accuracy: null, loss: null }],
    mean: 0.5,
    deviation: 0.1,
    best: 0,
  },
  rows: [0, 1].map((index) => ({ text: `text ${index}`, label: "a", predicted: "b" })),
};

/** What stands where something else was: JSON, in words, so that it may be what no object can hold. */
const STRANGE = [
  "null",
  "true",
  "0",
  "-1",
  "0.5",
  "-0",
  "1e999",
  "-1e999",
  "9007199254740993",
  "5e-324",
  '""',
  '"constructor"',
  '"__proto__"',
  '"toString"',
  '"\\ud800"',
  `"${"x".repeat(2000)}"`,
  "[]",
  "{}",
  "[[[]]]",
  '{"toString": 0, "valueOf": 0}',
  '{"__proto__": {"length": 1}}',
  '{"length": 3, "0": 1}',
  `[${"0,".repeat(300)}0]`,
  `${"[".repeat(20_000)}${"]".repeat(20_000)}`,
  `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`,
];
const NAMES = ["constructor", "__proto__", "toString", "valueOf", "hasOwnProperty", "length", "more"];

/** Places of a tree. @param {any} value @param {(string | number)[]} path @returns {(string | number)[][]} */
function places(value, path = []) {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.keys(value).flatMap((key) => places(value[key], [...path, key]))];
}

const all = places(valid).slice(1);
const text = JSON.stringify(valid);

/** Another value of the same kind, which may well be taken. @param {any} value @param {(list: any[]) => any} pick */
function alike(value, pick) {
  if (typeof value === "number")
    return pick([0, 1, 2, 0.5, 0.999, 1e-9, 5e-324, 1e12, Number.MAX_SAFE_INTEGER, 1e300, -1]);
  if (typeof value === "boolean") return !value;
  if (typeof value === "string")
    return pick([...NAMES, "", " ", "<b>&", "\ud800", "x".repeat(900), "x".repeat(1001), "2026-13-99"]);
  if (Array.isArray(value))
    return structuredClone(pick([[], [...value, ...value], Array.from({ length: 400 }, () => value[0])]));
  return value === null
    ? pick([0, 1, "x"])
    : pick([{}, { ...value, more: 1 }, Object.fromEntries(NAMES.map((name) => [name, 1]))]);
}

/** One to three changes: a value, a name, an entry more or less, or a byte of the file. @param {() => number} random */
function spoilt(random) {
  const pick = (/** @type {any[]} */ list) => list[Math.floor(random() * list.length)];
  const tree = structuredClone(valid);
  /** @type {[string, string][]} */
  const strange = [];
  const changes = 1 + Math.floor(random() * 3);
  for (let change = 0; change < changes; change += 1) {
    const path = pick(all);
    const parent = path.slice(0, -1).reduce((/** @type {any} */ at, /** @type {string} */ key) => at?.[key], tree);
    if (typeof parent !== "object" || parent === null) continue;
    const key = path.at(-1);
    if (random() < 0.7) {
      parent[key] = alike(parent[key], pick);
      continue;
    }
    const kind = random();
    if (kind < 0.6) {
      const mark = `mark ${change}`;
      strange.push([JSON.stringify(mark), pick(STRANGE)]);
      parent[key] = mark;
    } else if (kind < 0.7) delete parent[key];
    else if (kind < 0.8 && !Array.isArray(parent))
      Object.defineProperty(parent, pick(NAMES), {
        value: parent[key],
        enumerable: true,
        writable: true,
        configurable: true,
      });
    else if (Array.isArray(parent[key]))
      for (let more = 0; more < 40; more += 1) parent[key].push(parent[key][0] ?? null);
    // A copy: what is changed next must not be the file that all are made of.
    else
      parent[key] = structuredClone(
        pick(
          all.map((other) => other.reduce((/** @type {any} */ at, /** @type {string} */ name) => at?.[name], valid)),
        ),
      );
  }
  let json = JSON.stringify(tree);
  for (const [mark, value] of strange) json = json.replace(mark, () => value);
  if (random() < 0.05) {
    const at = Math.floor(random() * json.length);
    json = json.slice(0, at) + String.fromCharCode(random() * 256) + json.slice(at + 1);
  }
  return json;
}

/** @param {any} record */
const shown = (record) => renderToString(h(trial.Trial, { record }));

test("the file that the others are made of is read, shown and written as it was", () => {
  const record = lib.recordFromJson(text);
  assert.deepEqual(record, valid);
  assert.match(shown(record), /lora · rows/);
  assert.deepEqual(JSON.parse(lib.recordToJson(record, { rows: true })), valid);
});

test(`of ${INPUTS} run files spoilt at random, each is refused by name or can be shown and stored (seed ${SEED})`, (t) => {
  const random = randomOf(SEED);
  let accepted = 0;
  let slowest = 0;
  for (let input = 0; input < INPUTS; input += 1) {
    const json = spoilt(random);
    const begun = performance.now();
    try {
      let record;
      try {
        record = lib.recordFromJson(json);
      } catch (error) {
        assert.ok(error instanceof lib.WebtuneError, `${error}`);
        assert.equal(error.code, "invalidFile");
        continue;
      }
      accepted += 1;
      shown(record);
      assert.deepEqual(lib.recordFromObject(structuredClone(record)), record);
      const written = lib.recordToJson(record, { rows: true });
      assert.equal(lib.recordToJson(lib.recordFromJson(written), { rows: true }), written);
    } catch (error) {
      assert.fail(`seed ${SEED}, input ${input}: ${error}\n${json.slice(0, 3000)}`);
    }
    slowest = Math.max(slowest, performance.now() - begun);
  }
  t.diagnostic(`${accepted} of ${INPUTS} were taken; the slowest took ${Math.round(slowest)} ms`);
  assert.ok(accepted > INPUTS / 20, `${accepted} were taken`);
  assert.ok(slowest < 1000, `${slowest} ms`);
});

test("each of 100,000 steps costs the page the same, and the curves stay short", () => {
  const store = new state.SortStore();
  const actions = new run.SortRunActions(store, {}, {});
  const steps = 100_000;
  const groups = [{ name: "head", learningRate: 1e-3, frozen: false }];
  const event = {
    type: "step",
    stage: "classify",
    totalSteps: steps,
    epoch: 1,
    learningRate: 1,
    headLearningRate: 2,
    groups,
    ms: 1,
  };
  const validation = { accuracy: 0.5, macroF1: 0.5 };
  const times = [];
  for (let part = 0; part < 10; part += 1) {
    const begun = performance.now();
    for (let index = 1; index <= steps / 10; index += 1) {
      const step = (part * steps) / 10 + index;
      actions.take({ ...event, step, loss: step === 50_001 ? -1 : 1 / step });
      if (step % 10 === 0)
        actions.take({ type: "evaluation", stage: "classify", step, epoch: 1, best: step === 20, validation });
    }
    times.push(performance.now() - begun);
  }
  const { curves, findings } = store.state.run;
  const { losses, rates, evaluations, evaluated } = curves;
  for (const line of [losses, rates, findings.headRates]) {
    assert.ok(line.steps.length <= 501 && line.steps.length >= 250, `${line.steps.length} points`);
    assert.equal(line.steps.length, line.values.length);
    assert.equal(line.steps[0], 1);
    assert.equal(line.steps.at(-1), steps);
    assert.deepEqual(
      line.steps,
      [...line.steps].sort((a, b) => a - b),
    );
  }
  for (const [index, step] of losses.steps.entries()) {
    if (step !== 50_001) assert.equal(losses.values[index], 1 / step);
  }
  assert.deepEqual([losses.count, losses.first, losses.last, losses.lowest], [steps, 1, 1 / steps, -1]);
  assert.ok(evaluations.length <= 300);
  assert.equal(evaluated, steps / 10);
  assert.deepEqual(
    evaluations.filter((/** @type {any} */ one) => one.best).map((/** @type {any} */ one) => one.step),
    [20],
  );
  assert.deepEqual(
    evaluations.slice(-2).map((/** @type {any} */ one) => one.step),
    [steps - 10, steps],
  );
  const [, second = 0] = times;
  assert.ok(Number(times.at(-1)) < 4 * second + 100, `milliseconds for each tenth: ${times.map(Math.round)}`);
});
