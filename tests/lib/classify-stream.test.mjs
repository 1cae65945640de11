/**
 * A stream of rows and its answers: batches, order, refused rows, abort.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { FakeEngine, installWorker } from "./fakes.mjs";
import { load, removeBuild } from "./package-under-test.mjs";

const { EngineHost } = await load("worker/host");
const { classifyRows, TextClassifier, WebtuneError } = await load("index");
const { paced } = await load("classify");

class Answering extends FakeEngine {
  async predict(texts, which) {
    const answers = await super.predict(texts, which);
    return answers.map((one) => ({ ...one, labels: [one.label], probabilities: [1] }));
  }
}
const workers = installWorker(EngineHost, () => new Answering({}));
after(removeBuild);

const answer = (text) => ({ label: `of ${text.text ?? text}`, labels: [], probabilities: [0.25, 0.75], logits: [] });

/** A `predict` that takes some time and keeps what it was asked. */
function asking({ ms = 0, refuse = () => undefined } = {}) {
  const batches = [];
  let before = Promise.resolve();
  const predict = async (texts) => {
    batches.push(texts);
    // One after the other, as an engine computes.
    before = before.then(() => new Promise((resolve) => setTimeout(resolve, ms * texts.length)));
    await before;
    const row = texts.findIndex((text) => refuse(text)) + 1;
    if (row > 0) throw new WebtuneError("invalidData", `texts, row ${row}: ${refuse(texts[row - 1])}`, { row });
    return texts.map(answer);
  };
  return { predict, batches };
}

async function all(items) {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
}

test("rows keep their order and whatever belongs to them; those without a text are not asked for", async () => {
  const { predict, batches } = asking();
  const rows = [
    { text: "a", id: 1 },
    { text: " ", id: 2 },
    { text: undefined, problem: "broken", id: 3 },
    { text: "b", textPair: "c" },
    { text: "d", textPair: "" },
  ];
  const found = await all(classifyRows(predict, rows));
  assert.deepEqual(batches, [["a", { text: "b", textPair: "c" }]]);
  assert.deepEqual(
    found.map(({ row, label, confidence, problem }) => [row, label, confidence, problem]),
    [
      [rows[0], "of a", 0.75, undefined],
      [rows[1], undefined, undefined, undefined],
      [rows[2], undefined, undefined, "broken"],
      [rows[3], "of b", 0.75, undefined],
      [rows[4], undefined, undefined, undefined],
    ],
  );
  assert.deepEqual(await all(classifyRows(predict, [])), []);
});

test("batches grow with the engine's speed, and no third is asked for before the first is there", async () => {
  let open = 0;
  let most = 0;
  const sizes = [];
  const fast = async (texts) => {
    sizes.push(texts.length);
    open += 1;
    most = Math.max(most, open);
    await new Promise((resolve) => setTimeout(resolve, 1));
    open -= 1;
    return texts.map(answer);
  };
  const rows = Array.from({ length: 5_000 }, (_, index) => `row ${index}`);
  const found = await all(classifyRows(fast, rows));
  assert.deepEqual(
    found.map(({ row }) => row),
    rows,
  );
  assert.equal(most, 2);
  assert.deepEqual(sizes.slice(0, 3), [32, 32, 64]);
  assert.equal(Math.max(...sizes), 1024);
  // At most twice as many as before, and no more than take about four seconds.
  assert.equal(paced(32, 32, 100), 64);
  assert.equal(paced(32, 32, 3_000), 32);
  assert.equal(paced(512, 512, 2_500), 800);
  assert.equal(paced(1024, 1024, 8_000), 512);
  assert.equal(paced(1024, 1024, 1_000), 1024);
  const set = asking();
  await all(classifyRows(set.predict, rows.slice(0, 10), { batchRows: 4 }));
  assert.deepEqual(
    set.batches.map(({ length }) => length),
    [4, 4, 2],
  );
});

test("a row that the engine refuses has a problem, and the others their labels", async () => {
  const { predict } = asking({ refuse: (text) => (text.startsWith("bad") ? "no such token" : undefined) });
  const found = await all(classifyRows(predict, ["a", "bad 1", "b", "bad 2", "c"], { batchRows: 3 }));
  assert.deepEqual(
    found.map(({ label }) => label),
    ["of a", undefined, "of b", undefined, "of c"],
  );
  assert.match(found[1].problem, /no such token/);
  // Of the first text it is more likely true of all.
  await assert.rejects(all(classifyRows(predict, ["bad", "a"])), { code: "invalidData" });
  const failing = async () => {
    throw new WebtuneError("deviceFailed", "lost");
  };
  await assert.rejects(all(classifyRows(failing, ["a", "b"])), { code: "deviceFailed" });
});

test("an abort ends the wait at once, for the engine and for rows, and leaves the source", async () => {
  const controller = new AbortController();
  let left = false;
  const endless = async function* () {
    try {
      for (let index = 0; ; index += 1) yield `row ${index}`;
    } finally {
      left = true;
    }
  };
  const never = () => new Promise(() => undefined);
  const { signal } = controller;
  setTimeout(() => controller.abort(), 20);
  await assert.rejects(all(classifyRows(never, endless(), { signal })), { code: "aborted" });
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.ok(left);
  const hanging = { [Symbol.asyncIterator]: () => ({ next: never }) };
  const second = new AbortController();
  setTimeout(() => second.abort(), 20);
  await assert.rejects(all(classifyRows(never, hanging, { signal: second.signal })), { code: "aborted" });
  await assert.rejects(all(classifyRows(never, ["a"], { signal: AbortSignal.abort() })), { code: "aborted" });
  // Leaving the loop closes the source as well.
  left = false;
  for await (const _ of classifyRows(asking().predict, endless())) break;
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.ok(left);
});

test("options are checked", async () => {
  const { predict } = asking();
  await assert.rejects(all(classifyRows(predict, ["a"], { threshold: 1.5 })), { option: "threshold" });
  await assert.rejects(all(classifyRows(predict, ["a"], { batchRows: 0 })), { option: "batchRows" });
  const found = await all(classifyRows(predict, ["a"], { threshold: 0.8 }));
  assert.deepEqual([found[0].label, found[0].confidence, found[0].prediction.label], [undefined, 0.75, "of a"]);
});

test("a classifier labels a stream in its worker", async () => {
  const tuner = await TextClassifier.load({ files: [{ path: "config.json", blob: new Blob(["{}"]) }], name: "toy" });
  const source = async function* () {
    yield* ["a", "b"];
  };
  const found = await all(tuner.classify(source(), { which: "baseline", batchRows: 1 }));
  assert.deepEqual(
    found.map(({ prediction }) => prediction.label),
    ["baseline:a", "baseline:b"],
  );
  assert.ok(!workers.at(-1).engine.overlapped);
  tuner.dispose();
});
