/**
 * `webtune finetune` from the command line on files on disk: it writes what it promises, or says why not.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { csv } from "../e2e/support/rows.mjs";
import { tinyLanguageModel } from "../e2e/support/tiny-language.mjs";
import { changed, tinyModel } from "../e2e/support/tiny-model.mjs";
import { webtune } from "./webtune.mjs";

/** @type {string} */
let folder;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "webtune finetune "));
  mkdirSync(join(folder, "tiny"));
  for (const { name, buffer } of tinyModel()) writeFileSync(join(folder, "tiny", name), buffer);
  writeFileSync(join(folder, "train.csv"), csv(20));
  writeFileSync(join(folder, "test.csv"), csv(6));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** @param {string[]} args */
const finetune = (args) => webtune(folder, ["finetune", ...args]);

/** @param {string} out */
const metricsOf = (out) => JSON.parse(readFileSync(join(folder, out, "metrics.json"), "utf8"));

const common = ["--model", "tiny", "--device", "cpu", "--train", "train.csv"];

test("rows that cannot be used stop the command, or are left out and named", () => {
  const rows = readFileSync(join(folder, "train.csv"), "latin1").trim();
  const bad = Buffer.concat([
    Buffer.from(`${rows}\nthree,columns,here\ncaf`),
    Buffer.from([0xe9]),
    Buffer.from(" story,story\n"),
  ]);
  writeFileSync(join(folder, "bad.csv"), bad);
  const settings = JSON.stringify({ method: { type: "probe" }, numTrainEpochs: 1 });
  const args = ["--model", "tiny", "--device", "cpu", "--train", "bad.csv", "--options", settings, "--out", "bad"];
  const refused = (/** @type {string[]} */ more) => {
    const { status, stderr } = finetune([...args, ...more]);
    assert.equal(status, 1, stderr);
    return stderr;
  };
  assert.match(refused([]), /bad\.csv: expected UTF-8 text.*--encoding windows-1252/);
  assert.match(refused(["--encoding", "windows-1252"]), /bad\.csv, row \d+: expected 2 columns.*--skip-bad/);
  assert.match(refused(["--encoding", "latin"]), /--encoding: expected one of utf-8, .*, found latin/);
  const { status, stderr } = finetune([...args, "--encoding", "windows-1252", "--skip-bad"]);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /note: bad\.csv, row \d+ is left out: expected 2 columns/);
});

test("two workers write what one writes", () => {
  const method = { type: "lora", loraDropout: 0.1 };
  const settings = JSON.stringify({
    method,
    numTrainEpochs: 2,
    trainBatchSize: 4,
    gradientAccumulationSteps: 3,
    headInit: "random",
  });
  const [one, two] = ["1", "2"].map((workers) => {
    const out = `by ${workers}`;
    const { status, stderr } = finetune([...common, "--options", settings, "--workers", workers, "--out", out]);
    assert.equal(status, 0, stderr);
    assert.equal(stderr.includes("2 cores compute"), workers === "2", stderr);
    return readFileSync(join(folder, out, "adapter/adapter_model.safetensors"));
  });
  assert.ok(one?.equals(two ?? Buffer.of()));
});

test("the adapter, the predictions and the measures are written", () => {
  const settings = JSON.stringify({ method: { type: "lora" }, numTrainEpochs: 2, trainBatchSize: 8 });
  const { status, stdout, stderr } = finetune([
    ...common,
    ...[
      "--test",
      "test.csv",
      "--seed",
      "7",
      "--options",
      settings,
      "--export",
      "merged,onnx,onnx-fp16",
      "--out",
      "out",
    ],
  ]);
  assert.equal(status, 0, stderr);
  assert.equal(stdout, "", "progress belongs to standard error");
  assert.match(stderr, /accuracy on 12 test rows: zero-shot .* before tuning, .* after \(95% interval/);

  const metrics = metricsOf("out");
  assert.deepEqual(Object.keys(metrics), [
    "device",
    "baseline",
    "tuned",
    "baselines",
    "bestBaseline",
    "comparison",
    "labels",
    "trainLoss",
    "steps",
    "seconds",
    "msPerStep",
    "trainedParameters",
    "totalParameters",
    "peakWasmBytes",
    "validation",
    "forgetting",
    "exportBytes",
    "verdict",
    "reasons",
    "options",
    "method",
    "seeds",
    "cachedLayers",
    "run",
  ]);
  assert.equal(metrics.device, "cpu");
  assert.deepEqual(metrics.labels, ["label", "story"]);
  assert.equal(metrics.trainLoss.length, metrics.steps);
  for (const { baseline, tuned, baselines, bestBaseline, comparison } of [metrics, metrics.validation]) {
    assert.deepEqual(Object.keys(baselines), ["zeroShot", "centroid", "probe"]);
    assert.deepEqual(baseline, baselines.probe);
    for (const scores of [tuned, ...Object.values(baselines)]) {
      assert.deepEqual(Object.keys(scores), ["accuracy", "macroF1", "interval"]);
      const [low, high] = scores.interval;
      assert.ok(low <= scores.accuracy && scores.accuracy <= high, JSON.stringify(scores));
      for (const share of [scores.accuracy, scores.macroF1]) assert.ok(share >= 0 && share <= 1);
    }
    assert.ok(Object.values(baselines).every(({ accuracy }) => accuracy <= baselines[bestBaseline].accuracy));
    assert.ok(Math.abs(comparison.difference - (tuned.accuracy - baselines[bestBaseline].accuracy)) < 1e-6);
  }
  assert.equal(metrics.comparison.count, 12);
  const positive = ["seconds", "msPerStep", "trainedParameters", "totalParameters", "peakWasmBytes", "exportBytes"];
  for (const key of positive) assert.ok(metrics[key] > 0, key);
  assert.equal(metrics.forgetting.sentences, 200);
  assert.equal(metrics.method, "lora");
  assert.equal(metrics.options.numTrainEpochs, 2);
  assert.equal(metrics.options.seed, 7);
  assert.equal(metrics.seeds, null);
  assert.ok(metrics.verdict.length > 0);
  assert.equal(metrics.run.curve.length, metrics.steps);
  assert.equal(metrics.run.correct.length, metrics.run.validationRows);
  assert.ok(!("rows" in metrics.run), "no texts in the record");

  const rows = readFileSync(join(folder, "out/predictions.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(rows.length, 12);
  for (const row of rows) {
    assert.deepEqual(Object.keys(row), ["text", "label", "predicted", "logits"]);
    assert.equal(row.logits.length, 2);
    assert.ok(metrics.labels.includes(row.predicted));
  }
  for (const name of ["adapter_config.json", "adapter_model.safetensors"]) {
    assert.ok(readFileSync(join(folder, "out/adapter", name)).length > 0, name);
  }
  for (const path of ["merged/model.safetensors", "onnx/onnx/model.onnx", "onnx-fp16/onnx/model_fp16.onnx"]) {
    assert.ok(readFileSync(join(folder, "out", path)).length > 0, path);
  }
  const config = JSON.parse(readFileSync(join(folder, "out/onnx/config.json"), "utf8"));
  assert.deepEqual(Object.values(config.id2label), metrics.labels);
});

test("another method into the same folder leaves nothing of the last one behind", () => {
  mkdirSync(join(folder, "again/adapter"), { recursive: true });
  for (const name of ["labels.json", "adapter_config.json", "stale.txt"]) {
    writeFileSync(join(folder, "again/adapter", name), "{}");
  }
  for (const [type, ...files] of [
    ["full", "config.json", "model.safetensors", "tokenizer.json"],
    ["probe", "head.safetensors"],
  ]) {
    const settings = JSON.stringify({ method: { type }, numTrainEpochs: 1 });
    const { status, stderr } = finetune([...common, "--options", settings, "--out", "again"]);
    assert.equal(status, 0, stderr);
    assert.equal(metricsOf("again").method, type);
    const written = readdirSync(join(folder, "again/adapter"));
    for (const name of [...files, "labels.json", "README.md"]) assert.ok(written.includes(name), `${type}: ${name}`);
    for (const name of ["adapter_config.json", "stale.txt"]) assert.ok(!written.includes(name), `${type}: ${name}`);
  }
});

test("a language model classifies its last token", () => {
  mkdirSync(join(folder, "decoder"));
  for (const [name, bytes] of Object.entries(tinyLanguageModel())) writeFileSync(join(folder, "decoder", name), bytes);
  const pads = JSON.stringify({ pad_token: "<|im_start|>" });
  writeFileSync(join(folder, "decoder/tokenizer_config.json"), pads);
  const settings = JSON.stringify({ numTrainEpochs: 1, contrastive: false, headInit: "random" });
  const args = ["--model", "decoder", "--device", "cpu", "--train", "train.csv", "--test", "test.csv"];
  const { status, stderr } = finetune([...args, "--options", settings, "--out", "last"]);
  assert.equal(status, 0, stderr);
  const config = JSON.parse(readFileSync(join(folder, "last/adapter/adapter_config.json"), "utf8"));
  assert.deepEqual([config.task_type, config.modules_to_save], ["SEQ_CLS", ["classifier", "score"]]);
  // The tokenizer's settings came from the folder, and its padding token is where transformers needs it.
  assert.match(readFileSync(join(folder, "last/adapter/README.md"), "utf8"), /pad_token_id=1\)/);
  assert.equal(metricsOf("last").options.headLearningRate, 1e-3);
  const refused = finetune([...args, "--options", '{"method":{"type":"houlsby"}}', "--out", "refused"]);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /houlsby does not fit a llama model/);
});

test("several seeds are summed up, and the best is kept", () => {
  const { status, stderr } = finetune([
    ...common,
    ...["--seeds", "2", "--seed", "5", "--options", '{"numTrainEpochs":1}', "--out", "seeds"],
  ]);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /run 2 of 2: head seed 6, data seed 6/);
  assert.match(stderr, /2 runs: validation accuracy/);
  const { seeds, options, validation } = metricsOf("seeds");
  assert.equal(options.seeds, 2);
  assert.deepEqual(
    seeds.runs.map((/** @type {any} */ { headSeed, dataSeed }) => [headSeed, dataSeed]),
    [
      [5, 5],
      [6, 6],
    ],
  );
  assert.equal(validation.tuned.accuracy, seeds.runs[seeds.best].value);
});

test("the same seed gives the same numbers", () => {
  const losses = ["first", "second"].map((out) => {
    const { status, stderr } = finetune([...common, "--seed", "11", "--options", '{"numTrainEpochs":1}', "--out", out]);
    assert.equal(status, 0, stderr);
    return metricsOf(out).trainLoss;
  });
  assert.deepEqual(losses[0], losses[1]);
});

test("mistakes end with code 1 and one line that names them", () => {
  writeFileSync(join(folder, "empty.csv"), "");
  writeFileSync(join(folder, "one.csv"), "text,label\na,b\nc,b\n");
  writeFileSync(join(folder, "options.json"), '{"learningRate": "fast"}');
  writeFileSync(join(folder, "strange.csv"), "text,label\na,unheard\n");
  mkdirSync(join(folder, "broken"));
  const broken = tinyModel({ weights: changed((all) => all.delete("encoder.layer.0.output.dense.weight")) });
  for (const { name, buffer } of broken) writeFileSync(join(folder, "broken", name), buffer);
  /** @type {[string[], RegExp][]} */
  const cases = [
    [common, /--out is missing/],
    [[...common, "--out", "x", "--device", "gpu"], /--device: expected one of auto, cpu, webgpu, found gpu/],
    [[...common, "--out", "x", "--seed", "one"], /--seed/],
    [[...common, "--out", "x", "--workers", "0"], /--workers: expected auto or a whole number from 1 to 64, found 0/],
    [[...common, "--out", "x", "--seeds", "0"], /--seeds: expected a whole number from 1 to 99, found 0/],
    [[...common, "--out", "x", "--options", '{"method":{"type":"magic"}}'], /method.*magic/],
    [["--train", "nowhere.csv", "--out", "x"], /--train: there is no file nowhere\.csv/],
    [["--model", "./no/such/folder", "--out", "x"], /--model/],
    [[...common, "--out", "x", "--options", "{bad"], /--options/],
    [[...common, "--out", "x", "--bogus"], /--bogus/],
    [[...common, "--out", "x", "--export", "gguf"], /--export: expected some of merged, onnx, onnx-fp16, found "gguf"/],
    [
      [...common, "--out", "x", "--export", "onnx", "--options", '{"method":{"type":"prefix"}}'],
      /--export: onnx folds changes into weights, and prefix changes none/,
    ],
    [[...common, "--out", "x", "--export", "onnx-fp16", "--storage", "int8"], /--export: onnx-fp16 .* int8/],
    [[...common, "--out", "x", "--options", "options.json"], /learningRate/],
    [["--model", "tiny", "--device", "cpu", "--train", "empty.csv", "--out", "x"], /empty\.csv/],
    [["--model", "tiny", "--device", "cpu", "--train", "one.csv", "--out", "x"], /label/],
    [
      ["--model", "tiny", "--train", "train.csv", "--test", "strange.csv", "--out", "x"],
      /test example 1: the label "unheard" is not among/,
    ],
    [
      ["--task", "causal-lm", "--label-columns", "a,b", "--out", "x"],
      /--label-columns: it needs --task classification/,
    ],
    [["--model", "tiny", "--hub-url", "http://localhost:1", "--out", "x"], /--hub-url/],
    [["--model", "broken", "--device", "cpu", "--train", "train.csv", "--out", "x"], /layer\.0\.output\.dense\.weight/],
  ];
  for (const [args, message] of cases) {
    const { status, stderr } = finetune(args);
    assert.equal(status, 1, `${args.join(" ")}\n${stderr}`);
    const last = stderr.trim().split("\n").pop() ?? "";
    assert.match(last, message);
    assert.doesNotMatch(stderr, /^\s+at /m, "no stack");
  }
});
