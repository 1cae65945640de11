/**
 * `webtune evaluate` on what `webtune finetune` has written, and what `webtune` says of itself.
 */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { csv } from "../e2e/support/rows.mjs";
import { tinyLanguageModel } from "../e2e/support/tiny-language.mjs";
import { tinyModel } from "../e2e/support/tiny-model.mjs";
import { webtune } from "./webtune.mjs";

/** @type {string} */
let folder;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "webtune evaluate "));
  for (const name of ["tiny", "writer"]) mkdirSync(join(folder, name));
  for (const { name, buffer } of tinyModel()) writeFileSync(join(folder, "tiny", name), buffer);
  for (const [name, bytes] of Object.entries(tinyLanguageModel())) writeFileSync(join(folder, "writer", name), bytes);
  writeFileSync(join(folder, "train.csv"), csv(20));
  writeFileSync(join(folder, "test.csv"), csv(6));
  const texts = Array.from({ length: 12 }, (_, index) => ({ text: `${index}: the cat says meow` }));
  writeFileSync(join(folder, "texts.jsonl"), texts.map((row) => `${JSON.stringify(row)}\n`).join(""));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** @param {string[]} args */
function done(...args) {
  const { status, stdout, stderr } = webtune(folder, args);
  assert.equal(status, 0, stderr);
  return { stdout, stderr };
}

/** @param {string} path */
const json = (path) => JSON.parse(readFileSync(join(folder, path), "utf8"));

const rows = ["--model", "tiny", "--device", "cpu", "--test", "test.csv"];

test("a classifier that comes back scores as it did", () => {
  const options = JSON.stringify({ method: { type: "lora", r: 2 }, numTrainEpochs: 1, contrastive: false });
  done("finetune", ...rows, "--train", "train.csv", "--options", options, "--out", "out");
  const { stdout, stderr } = done("evaluate", ...rows, "--adapter", "out/adapter");
  assert.match(stderr, /accuracy on 12 test rows: zero-shot .* before tuning, .* after/);
  const before = json("out/metrics.json");
  for (const [name, value] of Object.entries(JSON.parse(stdout))) assert.deepEqual(value, before[name], name);

  const quiet = done("evaluate", ...rows, "--adapter", "out/adapter", "--out", "again");
  assert.equal(quiet.stdout, "");
  assert.deepEqual(json("again/metrics.json"), JSON.parse(stdout));
  const predictions = (/** @type {string} */ out) => readFileSync(join(folder, out, "predictions.jsonl"), "utf8");
  assert.equal(predictions("again"), predictions("out"));
});

test("an adapter without baselines is scored alone", () => {
  cpSync(join(folder, "out/adapter"), join(folder, "bare"), { recursive: true });
  rmSync(join(folder, "bare/baseline_head.safetensors"));
  const { stdout, stderr } = done("evaluate", ...rows, "--adapter", "bare");
  assert.doesNotMatch(stderr, /before tuning/);
  const { tuned, baselines } = JSON.parse(stdout);
  assert.deepEqual(tuned, json("out/metrics.json").tuned);
  assert.equal(baselines, undefined);
});

test("a language model is scored before and after", () => {
  const language = ["--task", "causal-lm", "--model", "writer", "--device", "cpu", "--test", "texts.jsonl"];
  const options = ["--options", JSON.stringify({ numTrainEpochs: 2, learningRate: 1e-2, maxLength: 64 })];
  done("finetune", ...language, "--train", "texts.jsonl", ...options, "--out", "language");
  const { stdout, stderr } = done("evaluate", ...language, ...options, "--adapter", "language/adapter");
  assert.match(stderr, /test texts: perplexity .* before tuning; perplexity .* after/);
  const { before, after } = json("language/metrics.json").test;
  const found = JSON.parse(stdout);
  assert.deepEqual([found.before, found.after], [before, after]);
});

test("mistakes end with code 1 and one line that names them", () => {
  mkdirSync(join(folder, "nothing"));
  mkdirSync(join(folder, "broken"));
  writeFileSync(join(folder, "broken/adapter_config.json"), "{");
  const adapter = ["--adapter", "out/adapter"];
  /** @type {[string[], RegExp][]} */
  const cases = [
    [[], /expected one of finetune, classify, evaluate, found none; try npx webtune --help/],
    [["train"], /expected one of finetune, classify, evaluate, found train/],
    [["constructor"], /found constructor/],
    [["evaluate"], /--adapter is missing/],
    [["evaluate", ...adapter], /--test is missing/],
    [["evaluate", ...adapter, "--test", "nowhere.csv"], /--test: there is no file nowhere\.csv/],
    [["evaluate", "--adapter", "nowhere", "--test", "test.csv"], /--adapter: there is no folder nowhere/],
    [["evaluate", ...adapter, "--test", "test.csv"], /--model is missing: .* "tiny", which is no repository/],
    [["evaluate", "--adapter", "broken", "--test", "test.csv"], /--adapter: adapter_config\.json: expected JSON/],
    [["evaluate", ...rows, "--adapter", "nothing"], /labels\.json is missing/],
    [["evaluate", ...rows, ...adapter, "--options", "{}"], /--options: it needs --task causal-lm/],
    [["evaluate", ...rows, ...adapter, "--bogus"], /--bogus.*; npx webtune evaluate --help lists the options/],
    [
      ["finetune", "--model", "tiny", "--train", "train.csv", "--device", "webgpu", "--out", "x"],
      /the package webgpu, which brings it to Node, is not installed\. .*npm install webgpu/,
    ],
  ];
  for (const [args, message] of cases) {
    const { status, stdout, stderr } = webtune(folder, args);
    assert.equal(status, 1, `${args.join(" ")}\n${stderr}`);
    assert.equal(stdout, "");
    assert.match(stderr.trim().split("\n").pop() ?? "", message);
    assert.doesNotMatch(stderr, /^\s+at /m, "no stack");
  }
});

test("help and version are printed", () => {
  assert.match(done("--help").stdout, /npx webtune COMMAND[\s\S]*finetune +tunes[\s\S]*evaluate +scores/);
  assert.match(done("evaluate", "--help").stdout, /npx webtune evaluate --adapter DIR --test FILE/);
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  assert.equal(done("--version").stdout, `${version}\n`);
});
