/**
 * What the crate exports after short runs is loaded by the libraries that it is meant for: `cargo test` writes folders, Python reads them.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { buildEnv, root, targetDir } from "../../scripts/cache.mjs";
import { pythonEnvironment } from "./environment.mjs";

const written = join(targetDir, "tmp");
const exported = join(written, "exports");
const language = join(exported, "language");
const lora = join(language, "lora");

let python = "";

before(async () => {
  python = await pythonEnvironment();
  // The tests that write folders; without their closing line, which would be counted a second time.
  await run("cargo", ["test", "--test", "folders", "--test", "merged", "leave"]);
});

/**
 * What a command prints; fails with that where the command does.
 * @param {string} command
 * @param {string[]} args
 */
async function run(command, args) {
  // Nothing is fetched; one thread each, because the models are tiny.
  const env = { ...buildEnv(), HF_HUB_OFFLINE: "1", TOKENIZERS_PARALLELISM: "false", OMP_NUM_THREADS: "1" };
  const child = spawn(command, args, { cwd: root, env });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  const code = await new Promise((done, fail) => {
    child.once("error", fail);
    child.once("close", done);
  });
  assert.equal(code, 0, output);
  return output;
}

/**
 * Runs a check of this folder, which ends with code 1 where something differs.
 * @param {string} check
 * @param {string[]} args
 */
async function passes(check, ...args) {
  const output = await run(python, [join(root, "tests/exports", check), ...args]);
  for (const [line] of output.matchAll(/^(.*largest difference|ok ).*$/gm)) console.log(line);
}

/** @param {string} folder @returns {string[]} */
const casesIn = (folder) =>
  readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));

test("classifiers: PEFT, Transformers and Sentence-Transformers give the same logits", async () => {
  const folders = casesIn(join(exported, "classifiers"));
  assert.equal(folders.length, 30);
  await passes("check.py", ...folders);
});

test("language models: PEFT and Transformers give the same tokens and logits", async () => {
  const folders = casesIn(language);
  assert.equal(folders.length, 5);
  await passes("check_language.py", ...folders);
});

test("a GGUF adapter holds PEFT's deltas", async () => {
  await passes("check_gguf.py", join(lora, "adapter.gguf"), join(lora, "adapter"), join(lora, "base"));
});

test("a merged model in shards has every weight", async () => {
  await passes("check_merged.py", join(written, "merged"), join(root, "tests/fixtures/bert"));
});

test("continue.py carries the run on with accelerate and PEFT", async () => {
  await passes("continue_run.py", join(lora, "adapter"), join(lora, "base"));
});
