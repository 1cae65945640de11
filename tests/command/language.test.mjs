/**
 * `webtune finetune` from the command line on a tiny language model on disk: it tunes the model, or says why not.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { tinyGguf } from "../e2e/support/tiny-gguf.mjs";
import { POSITIONS, tinyLanguageModel } from "../e2e/support/tiny-language.mjs";
import { webtune } from "./webtune.mjs";

/** @type {string} */
let folder;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "webtune language "));
  for (const [name, sharded] of /** @type {const} */ ([
    ["tiny", false],
    ["sharded", true],
  ])) {
    mkdirSync(join(folder, name));
    for (const [path, bytes] of Object.entries(tinyLanguageModel({ sharded }))) {
      writeFileSync(join(folder, name, path), bytes);
    }
  }
  writeFileSync(join(folder, "train.jsonl"), chats(16));
  writeFileSync(join(folder, "test.jsonl"), chats(6));
  const prompts = [{ prompt: "The cat" }, { messages: [{ role: "user", content: "What does the dog say?" }] }];
  writeFileSync(join(folder, "prompts.jsonl"), prompts.map((row) => `${JSON.stringify(row)}\n`).join(""));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** @param {number} count */
function chats(count) {
  const sounds = /** @type {const} */ ([
    ["cat", "meow"],
    ["dog", "woof"],
  ]);
  const rows = Array.from({ length: count }, (_, index) => {
    const [animal, sound] = sounds[index % 2 === 0 ? 0 : 1];
    const messages = [
      { role: "user", content: `${index}: what does the ${animal} say?` },
      { role: "assistant", content: `The ${animal} says ${sound}.` },
    ];
    return JSON.stringify({ messages });
  });
  return `${rows.join("\n")}\n`;
}

/** @param {string[]} args */
const finetune = (args) => webtune(folder, ["finetune", "--task", "causal-lm", "--device", "cpu", ...args]);

/** @param {string} path */
const read = (path) => readFileSync(join(folder, path), "utf8");

const settings = JSON.stringify({ numTrainEpochs: 2, learningRate: 1e-2, maxLength: 96, sampleTokens: 4 });

test("the adapter, the completions and the measures are written", () => {
  const { status, stdout, stderr } = finetune([
    ...["--model", "tiny", "--train", "train.jsonl", "--test", "test.jsonl", "--prompts", "prompts.jsonl"],
    ...["--export", "peft,gguf,merged", "--seed", "7", "--options", settings, "--out", "out"],
  ]);
  assert.equal(status, 0, stderr);
  assert.equal(stdout, "", "progress belongs to standard error");
  assert.match(stderr, /note: the exported files will name their base model "tiny".*--base-name takes/);
  const metrics = JSON.parse(read("out/metrics.json"));
  assert.equal(metrics.task, "causal-lm");
  assert.equal(metrics.model, "tiny");
  assert.equal(metrics.options.seed, 7);
  assert.equal(metrics.trainLoss.length, metrics.steps);
  for (const { before, after } of [metrics.validation, metrics.test]) {
    for (const { loss, perplexity, tokenAccuracy, tokens } of [before, after]) {
      assert.ok(Math.abs(perplexity / Math.exp(loss) - 1) < 1e-6);
      assert.ok(tokenAccuracy >= 0 && tokenAccuracy <= 1 && tokens > 0);
    }
    assert.ok(after.loss < before.loss, JSON.stringify({ before, after }));
  }
  for (const key of ["seconds", "msPerStep", "tokens", "tokensPerSecond", "peakWasmBytes", "weightBytes"]) {
    assert.ok(metrics[key] > 0, key);
  }
  const rows = read("out/completions.jsonl")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(rows.length, 2);
  assert.equal(rows[0].prompt, "The cat");
  assert.equal(rows[1].messages[0].role, "user");
  for (const { before, after, logits } of rows) {
    assert.ok(typeof before === "string" && typeof after === "string");
    assert.equal(logits.length, 704);
    assert.ok(logits.every(Number.isFinite));
  }
  for (const name of ["adapter_config.json", "adapter_model.safetensors"]) {
    assert.ok(read(`out/adapter/${name}`).length > 0, name);
  }
  assert.ok(readdirSync(join(folder, "out/gguf")).some((name) => name.endsWith(".gguf")));
  const merged = readdirSync(join(folder, "out/merged"));
  assert.ok(merged.includes("config.json") && merged.some((name) => name.endsWith(".safetensors")), merged.join());
});

test("shards are read, and weights kept in fewer bits", () => {
  const { status, stderr } = finetune([
    ...["--model", "sharded", "--train", "train.jsonl", "--storage", "int8", "--options", settings, "--out", "int8"],
  ]);
  assert.equal(status, 0, stderr);
  const metrics = JSON.parse(read("int8/metrics.json"));
  assert.equal(metrics.storage, "int8");
  assert.equal(metrics.test, null);
});

test("a GGUF file is tuned, and its adapter names the base as it is told", () => {
  writeFileSync(join(folder, "Tiny.gguf"), tinyGguf());
  const { status, stderr } = finetune([
    ...["--model", "Tiny.gguf", "--train", "train.jsonl", "--base-name", "somebody/tiny", "--options", settings],
    ...["--out", "gguf"],
  ]);
  assert.equal(status, 0, stderr);
  assert.equal(JSON.parse(read("gguf/metrics.json")).model, "Tiny");
  assert.equal(JSON.parse(read("gguf/adapter/adapter_config.json")).base_model_name_or_path, "somebody/tiny");
  assert.doesNotMatch(stderr, /--base-name takes/);
});

test("a folder is left with this run's weights alone, whatever an earlier one wrote", () => {
  mkdirSync(join(folder, "again/merged"), { recursive: true });
  writeFileSync(join(folder, "again/merged/model-00001-of-00003.safetensors"), "old");
  writeFileSync(join(folder, "again/merged/own.txt"), "a person's");
  const full = JSON.stringify({ ...JSON.parse(settings), method: { type: "full" }, learningRate: 1e-4 });
  const { status, stderr } = finetune([
    ...["--model", "tiny", "--train", "train.jsonl", "--options", full, "--out", "again"],
  ]);
  assert.equal(status, 0, stderr);
  const merged = readdirSync(join(folder, "again/merged"));
  assert.deepEqual(
    merged.filter((name) => name.endsWith(".safetensors")),
    ["model.safetensors"],
  );
  assert.ok(merged.includes("own.txt"));
});

test("mistakes end with code 1 and one line that names them", () => {
  writeFileSync(join(folder, "table.csv"), "text,label\na,b\n");
  writeFileSync(join(folder, "keys.jsonl"), '{"question":"a"}\n');
  const long = { prompt: "a", completion: "word ".repeat(4 * POSITIONS) };
  writeFileSync(join(folder, "long.jsonl"), `${JSON.stringify(long)}\n${JSON.stringify(long)}\n`);
  writeFileSync(join(folder, "bad-prompts.jsonl"), '{"prompt":"a"}\n{"text":"b"}\n');
  writeFileSync(join(folder, "long-prompts.txt"), `${"word ".repeat(4 * POSITIONS)}\n`);
  for (const name of ["half", "empty", "ggufs"]) mkdirSync(join(folder, name));
  for (const name of ["a.gguf", "b.gguf"]) writeFileSync(join(folder, "ggufs", name), "GGUF");
  for (const [path, bytes] of Object.entries(tinyLanguageModel({ sharded: true }))) {
    if (!path.startsWith("model-00002")) writeFileSync(join(folder, "half", path), bytes);
  }
  const tiny = ["--model", "tiny", "--out", "x"];
  /** @type {[string[], RegExp][]} */
  const cases = [
    [["--model", "table.csv", "--out", "x"], /--model: table\.csv is a file; expected a folder, a \.gguf file or/],
    [
      ["--model", "ggufs", "--out", "x"],
      /--model: ggufs holds several \.gguf files; name one of them, such as ggufs\/a/,
    ],
    [["--model", "empty", "--out", "x"], /--model: empty holds no config\.json and no \.gguf file/],
    [[...tiny, "--base-name", " "], /--base-name: expected a name, found none/],
    [[...tiny, "--storage", "int2"], /--storage: expected one of f32, f16, int8, int4, found int2/],
    [[...tiny, "--export", "peft,onnx"], /--export: expected some of peft, gguf, merged, found "onnx"/],
    [[...tiny, "--seeds", "0"], /--seeds: expected a whole number from 1 to 99, found 0/],
    [[...tiny, "--train", "table.csv"], /table\.csv.*table/],
    [[...tiny, "--train", "keys.jsonl"], /keys\.jsonl.*question/],
    [[...tiny, "--train", "long.jsonl"], /long\.jsonl/],
    [[...tiny, "--train", "train.jsonl", "--prompts", "bad-prompts.jsonl"], /bad-prompts\.jsonl, row 2: expected/],
    [[...tiny, "--train", "train.jsonl", "--prompts", "long-prompts.txt"], /prompt: expected 1 to \d+ tokens/],
    [
      [...tiny, "--export", "peft,gguf", "--options", '{"method":{"type":"prefix"}}'],
      /--export: gguf holds LoRA alone/,
    ],
    [[...tiny, "--export", "peft", "--options", '{"method":{"type":"full"}}'], /--export: peft .* use merged/],
    [[...tiny, "--export", "merged", "--storage", "int8"], /--export: merged .* int8/],
    [["--model", "half", "--train", "train.jsonl", "--out", "x"], /model-00002-of-00002\.safetensors is missing/],
  ];
  for (const [args, message] of cases) {
    const { status, stderr } = finetune(args);
    assert.equal(status, 1, `${args.join(" ")}\n${stderr}`);
    assert.match(stderr.trim().split("\n").pop() ?? "", message);
    assert.doesNotMatch(stderr, /^\s+at /m, "no stack");
    assert.doesNotMatch(stderr, /^.*step \d+ of/m, "nothing was trained for it");
  }
});
