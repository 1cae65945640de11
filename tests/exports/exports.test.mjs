/**
 * What the crate exports after short runs is loaded by the libraries that it is meant for: `cargo test` writes folders, Python reads them.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { root } from "../../scripts/cache.mjs";
import { casesIn, passes, run, written } from "./checks.mjs";
import { pythonEnvironment } from "./environment.mjs";

const exported = join(written, "exports");
const language = join(exported, "language");
const lora = join(language, "lora");

let python = "";

before(async () => {
  python = await pythonEnvironment();
  // The tests that write folders; without their closing line, which would be counted a second time.
  await run("cargo", ["test", "--test", "folders", "--test", "merged", "--test", "several_labels", "leave"]);
});

test("classifiers: PEFT, Transformers and Sentence-Transformers give the same logits", async () => {
  const folders = casesIn(join(exported, "classifiers"));
  assert.equal(folders.length, 30);
  await passes(python, "check.py", ...folders);
});

test("language models: PEFT and Transformers give the same tokens and logits", async () => {
  const folders = casesIn(language);
  assert.equal(folders.length, 5);
  await passes(python, "check_language.py", ...folders);
});

test("a GGUF adapter holds PEFT's deltas", async () => {
  await passes(python, "check_gguf.py", join(lora, "adapter.gguf"), join(lora, "adapter"), join(lora, "base"));
});

test("a merged model in shards has every weight", async () => {
  await passes(python, "check_merged.py", join(written, "merged"), join(root, "tests/fixtures/bert"));
});

test("several labels a text: a pipeline of Transformers gives the same probabilities and labels", async () => {
  await passes(python, "check_several.py", join(exported, "several-labels"));
});

test("continue.py carries the run on with accelerate and PEFT", async () => {
  await passes(python, "continue_run.py", join(lora, "adapter"), join(lora, "base"));
});
