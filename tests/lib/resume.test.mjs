/**
 * When a run's checkpoints are written, what happens if they can't be kept, and how a run goes on from one.
 */
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { FakeEngine, installWorker } from "./fakes.mjs";
import { load, removeBuild } from "./package-under-test.mjs";

const { EngineHost } = await load("worker/host");
const { CheckpointClock } = await load("worker/checkpoint-clock");
const { TextClassifier } = await load("index");
const source = { files: [{ path: "config.json", blob: new Blob(["{}"]) }], name: "toy" };
const rows = [{ text: "a", label: "b" }];
let settings;
const workers = installWorker(EngineHost, () => new FakeEngine(settings));
const engineOf = () => workers.at(-1).engine;
const callsOf = (name) => engineOf().calls.filter((call) => call === name).length;
const reported = [];
globalThis.reportError = (error) => reported.push(error);

beforeEach(() => {
  settings = { steps: 6 };
  reported.length = 0;
});
after(removeBuild);

async function collect(run) {
  const events = [];
  for await (const event of run) events.push(event);
  return events;
}

test("every state is handed over whole, and a run goes on from it", async () => {
  const kept = [];
  const classifier = await TextClassifier.load(source);
  const run = classifier.train(rows, { checkpoint: { everySeconds: 0, write: (bytes) => kept.push(bytes) } });
  const events = await collect(run);
  assert.equal(events.length, 8);
  assert.ok(kept.length > 0);
  assert.ok(kept.every((bytes) => bytes instanceof Uint8Array && bytes.length === 2 && bytes[0] === 7));
  assert.equal(engineOf().overlapped, false);
  const [, left] = kept.at(-1);
  const rest = await collect(classifier.resume(kept.at(-1), rows));
  assert.deepEqual(rest, events.slice(-left));
  assert.equal(callsOf("resume"), 1);
  assert.equal(engineOf().given.options.checkpoint, undefined);
});

test("without a taker nothing is written", async () => {
  const classifier = await TextClassifier.load(source);
  await collect(classifier.train(rows));
  assert.equal(callsOf("startCheckpoint"), 0);
});

test("the next state waits until the last one is kept", async () => {
  settings = { steps: 20 };
  const classifier = await TextClassifier.load(source);
  let release;
  let written = 0;
  const held = new Promise((resolve) => {
    release = resolve;
  });
  const write = async () => {
    written += 1;
    await held;
  };
  await collect(classifier.train(rows, { checkpoint: { everySeconds: 0, write } }));
  assert.equal(written, 1);
  release();
});

test("a state that can't be kept is reported, and the run goes on", async () => {
  const classifier = await TextClassifier.load(source);
  const write = () => {
    throw new Error("the disk is full");
  };
  const events = await collect(classifier.train(rows, { checkpoint: { everySeconds: 0, write } }));
  assert.equal(events.at(-1).reason, "completed");
  assert.ok(reported.length > 0);
  assert.match(reported[0].message, /disk is full/);
});

test("a pause writes once", async () => {
  settings = { steps: 50, stepMs: 5 };
  const kept = [];
  const classifier = await TextClassifier.load(source);
  const run = classifier.train(rows, { checkpoint: { everySeconds: 1000, write: (bytes) => kept.push(bytes) } });
  await run.next();
  await run.next();
  run.pause();
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(kept.length, 1);
  run.resume();
  await run.return();
});

test("the interval must be a number", async () => {
  const classifier = await TextClassifier.load(source);
  const write = () => undefined;
  for (const everySeconds of [-1, Number.NaN, "often"]) {
    const begin = () => classifier.train(rows, { checkpoint: { everySeconds, write } });
    assert.throws(begin, { code: "invalidOption", option: "checkpoint.everySeconds" });
  }
});

test("writing takes no more than a fiftieth of the time", () => {
  const clock = new CheckpointClock(20, 0);
  assert.equal(clock.isDue(19_999, false), false);
  assert.equal(clock.isDue(20_000, false), true);
  clock.written(20_000, 20_100);
  assert.equal(clock.isDue(40_099, false), false);
  assert.equal(clock.isDue(40_100, false), true);
  // three seconds for one: the next after 150
  clock.written(40_100, 43_100);
  assert.equal(clock.isDue(193_099, false), false);
  assert.equal(clock.isDue(193_100, false), true);
  assert.equal(new CheckpointClock(undefined, 0).isDue(1e9, true), false);
});

test("a page that is far behind lets no messages pile up: the run waits for it, loses no event and can be stopped", async () => {
  settings = { steps: 1000, stepMs: 0 };
  const classifier = await TextClassifier.load(source);
  const worker = workers.at(-1);
  const { dispatchEvent } = worker;
  /** @type {Event[]} */
  const held = [];
  // As a page that is busy: what arrives waits.
  worker.dispatchEvent = (event) => held.push(event);
  const run = classifier.train(rows);
  const quiet = async () => {
    let before = -1;
    while (before !== held.length) {
      before = held.length;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  };
  await quiet();
  assert.equal(held.length, 256);
  worker.dispatchEvent = dispatchEvent;
  for (const event of held.splice(0)) worker.dispatchEvent(event);
  const events = await collect(run);
  assert.equal(events.length, 1002);
  assert.equal(events.at(-1).type, "finished");

  worker.dispatchEvent = (event) => held.push(event);
  const stopped = classifier.train(rows);
  await quiet();
  stopped.stop();
  await quiet();
  worker.dispatchEvent = dispatchEvent;
  for (const event of held.splice(0)) worker.dispatchEvent(event);
  assert.equal((await stopped.result()).reason, "stopped");
});
