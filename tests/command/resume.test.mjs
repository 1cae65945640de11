/**
 * `webtune finetune` cut off in the middle of a run, and `--resume`: what it ends with is what an uninterrupted run ends with.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { csv } from "../e2e/support/rows.mjs";
import { tinyLanguageModel } from "../e2e/support/tiny-language.mjs";
import { tinyModel } from "../e2e/support/tiny-model.mjs";
import { bin, webtune } from "./webtune.mjs";

/** @type {string} */
let folder;

/** Nothing here is left to a recipe, and nothing ends the run before its last step. */
const common = { numTrainEpochs: 30, trainBatchSize: 4, earlyStoppingPatience: 0, seed: 7, seeds: 1 };
const classify = {
  ...common,
  method: { type: "lora", r: 4, loraDropout: 0.1 },
  learningRate: 1e-3,
  headLearningRate: 1e-3,
  warmupRatio: 0.1,
  contrastive: false,
};
const language = { ...common, method: { type: "lora", r: 4 }, learningRate: 1e-3, maxLength: 64, sampleTokens: 2 };
const classifyArgs = [
  ...["--model", "tiny", "--train", "train.csv", "--test", "test.csv", "--device", "cpu"],
  ...["--checkpoint-seconds", "0", "--options", JSON.stringify(classify)],
];
const languageArgs = [
  ...["--task", "causal-lm", "--model", "tiny language", "--train", "train.jsonl", "--prompts", "prompts.txt"],
  ...["--export", "peft,gguf", "--device", "cpu", "--checkpoint-seconds", "0", "--options", JSON.stringify(language)],
];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "webtune resume "));
  for (const name of ["tiny", "tiny language"]) mkdirSync(join(folder, name));
  for (const { name, buffer } of tinyModel()) writeFileSync(join(folder, "tiny", name), buffer);
  for (const [name, bytes] of Object.entries(tinyLanguageModel())) {
    writeFileSync(join(folder, "tiny language", name), bytes);
  }
  writeFileSync(join(folder, "train.csv"), csv(20));
  writeFileSync(join(folder, "test.csv"), csv(6));
  const rows = Array.from({ length: 16 }, (_, index) => ({ prompt: `${index}: the cat`, completion: " says meow." }));
  writeFileSync(join(folder, "train.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  writeFileSync(join(folder, "prompts.txt"), "The cat\n");
  await cutOff([...classifyArgs, "--out", "cut"], "cut");
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** @param {string[]} args */
const finetune = (args) => webtune(folder, ["finetune", ...args], []);

/** @param {string} out */
function states(out) {
  const all = existsSync(join(folder, out, "checkpoint")) ? readdirSync(join(folder, out, "checkpoint")) : [];
  const numbers = all.flatMap((name) => /^state-(\d+)\.bin$/.exec(name)?.[1] ?? []).map(Number);
  return numbers.sort((a, b) => b - a).map((number) => `state-${number}.bin`);
}

/** Ends the command's worker once it has sent some states, as an engine that runs out of memory does. */
const WORKER_DIES = `data:text/javascript,${encodeURIComponent(`
  let states = 0;
  process.on("worker", (worker) => worker.on("message", ({ event }) => {
    if (event?.type === "checkpoint" && ++states === 4) worker.terminate();
  }));
`)}`;

/**
 * Starts the command, kills it or its worker alone once it has reported steps and kept some states, and waits for its end.
 * @param {string[]} args @param {string} out @param {"all" | "worker"} [what]
 */
async function cutOff(args, out, what = "all") {
  const before = what === "worker" ? ["--import", WORKER_DIES] : [];
  const child = spawn(process.execPath, [...before, bin, "finetune", ...args], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
    said += text;
  });
  const ended = new Promise((done) => child.once("close", (code, signal) => done({ code, signal })));
  const first = new Set(states(out));
  const ready = () => /step \d+0 of/.test(said) && states(out).filter((name) => !first.has(name)).length === 2;
  while (!ready() && child.exitCode === null) await new Promise((done) => setTimeout(done, 5));
  if (what === "all") child.kill("SIGKILL");
  const { code, signal } = /** @type {any} */ (await ended);
  assert.ok(!existsSync(join(folder, out, "metrics.json")), `it was cut off before its end: ${said}`);
  return { code, signal, said };
}

/** Every file below a folder with its bytes, by path. @param {string} out @returns {Record<string, Buffer>} */
function filesOf(out) {
  const entries = readdirSync(join(folder, out), { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(paths.sort().map((path) => [path.slice(join(folder, out).length + 1), readFileSync(path)]));
}

/** @param {string} out */
function measuresOf(out) {
  const metrics = JSON.parse(readFileSync(join(folder, out, "metrics.json"), "utf8"));
  for (const timed of [metrics, metrics.run ?? {}]) {
    for (const name of ["seconds", "msPerStep", "tokensPerSecond", "peakWasmBytes", "id", "createdAt"])
      delete timed[name];
  }
  return metrics;
}

/** @param {string} resumed @param {string} whole */
function assertSame(resumed, whole) {
  const [a, b] = [filesOf(resumed), filesOf(whole)];
  assert.deepEqual(Object.keys(a), Object.keys(b));
  for (const [path, bytes] of Object.entries(b)) {
    if (path !== "metrics.json") assert.ok(a[path]?.equals(bytes), `${path} differs`);
  }
  assert.deepEqual(measuresOf(resumed), measuresOf(whole));
}

/** @param {string} name */
function copyOfCut(name) {
  cpSync(join(folder, "cut"), join(folder, name), { recursive: true });
  return join(folder, name, "checkpoint");
}

test("a classifier's run that was killed ends like one that was not", () => {
  assert.deepEqual(readdirSync(join(folder, "cut/checkpoint")).filter((name) => !name.endsWith(".partial")).length, 3);
  copyOfCut("resumed");
  const resumed = finetune(["--resume", "resumed"]);
  assert.equal(resumed.status, 0, resumed.stderr);
  assert.match(resumed.stderr, new RegExp(`going on from ${states("cut")[0]}`));
  const whole = finetune([...classifyArgs, "--out", "whole"]);
  assert.equal(whole.status, 0, whole.stderr);
  assert.ok(filesOf("whole")["adapter/adapter_model.safetensors"], "an adapter is written");
  assertSame("resumed", "whole");
});

test("a language model's run that was killed twice ends like one that was not", async () => {
  const first = await cutOff([...languageArgs, "--out", "language"], "language");
  assert.equal(first.signal, "SIGKILL");
  await cutOff(["--resume", "language"], "language");
  const resumed = finetune(["--resume", "language"]);
  assert.equal(resumed.status, 0, resumed.stderr);
  const whole = finetune([...languageArgs, "--out", "whole language"]);
  assert.equal(whole.status, 0, whole.stderr);
  for (const path of ["adapter/adapter_model.safetensors", "completions.jsonl"]) {
    assert.ok(filesOf("whole language")[path], path);
  }
  assertSame("language", "whole language");
});

test("a damaged state is said and the one before it taken", () => {
  const checkpoint = copyOfCut("damaged");
  const [newest = "", older = ""] = states("damaged");
  const bytes = readFileSync(join(checkpoint, newest));
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  writeFileSync(join(checkpoint, newest), bytes);
  const { status, stderr } = finetune(["--resume", "damaged"]);
  assert.equal(status, 0, stderr);
  assert.match(
    stderr,
    new RegExp(`^webtune: ${newest} is refused \\(.*damaged.*\\), the one before it is taken$`, "m"),
  );
  assert.match(stderr, new RegExp(`going on from ${older}`));
  assertSame("damaged", "whole");
});

/** @param {string} name @param {RegExp} message */
function assertRefused(name, message) {
  const before = existsSync(join(folder, name)) ? filesOf(name) : {};
  const { status, stderr } = finetune(["--resume", name]);
  assert.equal(status, 1, stderr);
  assert.match(stderr.trim().split("\n").pop() ?? "", message);
  assert.doesNotMatch(stderr, /^\s+at /m, "no stack");
  assert.doesNotMatch(stderr, /to go on from the last checkpoint/, "there is no way on");
  assert.deepEqual(existsSync(join(folder, name)) ? filesOf(name) : {}, before, "nothing is changed");
}

test("other rows and another model are refused, and nothing is changed", () => {
  copyOfCut("changed");
  const rows = readFileSync(join(folder, "train.csv"), "utf8");
  writeFileSync(join(folder, "train.csv"), rows.replace("story 3", "story 33"));
  try {
    assertRefused("changed", /checkpoint: .*other rows/);
  } finally {
    writeFileSync(join(folder, "train.csv"), rows);
  }
  const config = readFileSync(join(folder, "tiny/config.json"), "utf8");
  const other = { ...JSON.parse(config), layer_norm_eps: 1e-6 };
  writeFileSync(join(folder, "tiny/config.json"), JSON.stringify(other));
  try {
    assertRefused("changed", /checkpoint: .*another model/);
  } finally {
    writeFileSync(join(folder, "tiny/config.json"), config);
  }
});

test("a folder without a run to go on with is refused by the name of what is missing or broken", () => {
  mkdirSync(join(folder, "empty"));
  assertRefused("empty", /--resume: .*run\.json: there is no such file/);
  assertRefused("nowhere", /--resume: .*nowhere.*run\.json: there is no such file/);
  const checkpoint = copyOfCut("broken");
  const file = join(checkpoint, "run.json");
  const run = readFileSync(file, "utf8");
  /** @type {[string, RegExp][]} */
  const cases = [
    [run.slice(0, run.length / 2), /run\.json: it is broken/],
    [JSON.stringify({ ...JSON.parse(run), version: 99 }), /run\.json: expected version 2, found 99/],
    [JSON.stringify({ ...JSON.parse(run), train: 5 }), /run\.json: it is broken: train is 5/],
    [JSON.stringify({ ...JSON.parse(run), train: "/no/rows.csv" }), /run\.json: .*train.*\/no\/rows\.csv/],
  ];
  for (const [text, message] of cases) {
    writeFileSync(file, text);
    assertRefused("broken", message);
  }
  writeFileSync(file, run);
  for (const name of states("broken")) rmSync(join(checkpoint, name));
  assertRefused("broken", /checkpoint: expected a file state-N\.bin, found none/);
});

test("options that the run already has are refused by name", () => {
  /** @type {[string[], RegExp][]} */
  const cases = [
    [["--out", "x"], /--out/],
    [["--train", "train.csv"], /--train/],
    [["--seed", "3"], /--seed/],
    [["--checkpoint-seconds", "soon"], /--checkpoint-seconds: expected a whole number from 0 to 86400, found soon/],
  ];
  for (const [args, message] of cases) {
    const { status, stderr } = finetune(["--resume", "cut", ...args]);
    assert.equal(status, 1, stderr);
    assert.match(stderr, message);
  }
  const { status, stdout } = finetune(["--help"]);
  assert.equal(status, 0);
  assert.match(stdout, /--resume DIR/);
});

test("a worker that dies is reported with the line that goes on", async () => {
  const { code, said } = await cutOff([...classifyArgs, "--out", "killed"], "killed", "worker");
  assert.equal(code, 1);
  const last = said.trim().split("\n").pop() ?? "";
  assert.match(
    last,
    /the worker failed: .*; to go on from the last checkpoint: npx webtune finetune --resume ".*killed"$/,
  );
  assert.doesNotMatch(said, /^\s+at /m, "no stack");
  const { status, stderr } = finetune(["--resume", "killed", "--checkpoint-seconds", "3600"]);
  assert.equal(status, 0, stderr);
  assertSame("killed", "whole");
});

test("a run from the beginning in such a folder says what it replaces", () => {
  copyOfCut("replaced");
  const options = JSON.stringify({ ...classify, numTrainEpochs: 1 });
  const args = [
    "--model",
    "tiny",
    "--train",
    "train.csv",
    "--device",
    "cpu",
    "--options",
    options,
    "--out",
    "replaced",
  ];
  const { status, stderr } = finetune(args);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /note: .*replaced holds a run that was cut off, .* --resume ".*replaced"/);
  assert.ok(!existsSync(join(folder, "replaced/checkpoint")), "the result is another run's");
});
