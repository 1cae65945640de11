/**
 * What a worker is allowed to reach, by the source of its model, and that a page may start workers in its own way.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { FakeEngine, installWorker } from "./fakes.mjs";
import { load, removeBuild } from "./package-under-test.mjs";

const { EngineHost } = await load("worker/host");
const { reachOf } = await load("sources/reach");
const { compareRuns, readModelConfig, startWorkersWith, TextClassifier } = await load("index");
const workers = installWorker(EngineHost, () => new FakeEngine());
after(removeBuild);

const files = { files: [{ path: "config.json", blob: new Blob(["{}"]) }], name: "toy" };
const hub = ["https://huggingface.co", "https://*.huggingface.co", "https://*.hf.co"];

test("a source is read from its own server, and of an unknown hub only that hub knows where", () => {
  assert.deepEqual(reachOf(files), []);
  assert.deepEqual(reachOf({ url: "https://models.test:8080/a/b?key=secret" }), ["https://models.test:8080"]);
  assert.deepEqual(reachOf({ url: "https://huggingface.co/a/b/resolve/main/" }), hub);
  assert.deepEqual(reachOf({ url: "blob:https://page.test/1-2" }), ["blob:"]);
  assert.deepEqual(reachOf({ repository: "a/b" }), hub);
  assert.deepEqual(reachOf({ repository: "a/b", hubUrl: "https://huggingface.co/" }), hub);
  const own = ["http://127.0.0.1:81", "http://127.0.0.1:*", "https:"];
  assert.deepEqual(reachOf({ repository: "a/b", hubUrl: "http://127.0.0.1:81/hub" }), own);
});

test("a page starts each worker itself, and knows what it may reach", async () => {
  const asked = [];
  startWorkersWith((reach) => {
    asked.push(reach);
    return new Worker(new URL("file:///worker.js"));
  });
  const tuner = await TextClassifier.load(files, { device: "cpu" });
  tuner.dispose();
  await compareRuns([true], [false]);
  await readModelConfig(files);
  assert.deepEqual(asked, [[], []], "what needs no other server shares a worker");
  await assert.rejects(readModelConfig({ url: "http://127.0.0.1:1/model" }), { name: "WebtuneError" });
  assert.deepEqual(asked.at(-1), ["http://127.0.0.1:1"]);
  assert.ok(workers.at(-1).terminated, "a worker for one file ends with it");
  assert.ok(!workers.at(-2).terminated);
});
