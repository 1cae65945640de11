/**
 * Rows that are pairs of texts, on the page and in the command: both columns are read and said so, either alone where a person chooses
 * it, and what was trained on pairs is asked with two texts.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { strFromU8, unzipSync } from "fflate";
import { root } from "../../scripts/cache.mjs";
import { openSite } from "./support/site.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

const texts = ["the quiet story", "a short story", "the label", "a single label"];

/** Whether two texts are the same. @param {number} count */
function pairs(count) {
  const rows = Array.from({ length: count }, (_, index) => {
    const [one, other] = [texts[index % 4], texts[(index + (index % 3)) % 4]];
    return `${one} ${index},${other} again,${index % 3 === 0 ? "same" : "different"}`;
  });
  return `premise,hypothesis,label\n${rows.join("\n")}\n`;
}

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
/** @type {string} */
let folder;
before(async () => {
  site = await openSite();
  folder = mkdtempSync(join(tmpdir(), "webtune pairs "));
  mkdirSync(join(folder, "tiny"));
  for (const { name, buffer } of tinyModel()) writeFileSync(join(folder, "tiny", name), buffer);
  writeFileSync(join(folder, "train.csv"), pairs(24));
  writeFileSync(join(folder, "single.csv"), pairs(24).replaceAll(/^([^,]*),[^,]*,/gm, "$1,"));
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await site?.close();
});

test("the page reads pairs, trains on them, asks with two texts, and takes the result back", async () => {
  const { page, close } = await site.open();
  await page.chooseDevice("cpu");
  await page.chooseModelFiles(tinyModel());
  await page.loadModel();
  await page.chooseExamples("pairs.csv", pairs(24));
  await page.examplesNote(/Read 24 examples from pairs\.csv/);
  await page.reads("examples-warnings", /pair of texts: first "premise", then "hypothesis"/);
  await page.reads("columns", /second text from "hypothesis"/);
  assert.equal(await page.at("column-text-pair").inputValue(), "hypothesis");
  const row = page.at("example-row").first();
  assert.equal(await row.locator("textarea").count(), 2);
  assert.equal(await row.locator("textarea").nth(1).inputValue(), "the quiet story again");

  // a blank second text leaves its row out
  await row.locator("textarea").nth(1).fill(" ");
  await page.reads("examples-count", /^23 /);
  await row.locator("textarea").nth(1).fill("the quiet story again");

  // one column alone, and both again
  await page.at("column-text-pair").selectOption("");
  await page.at("read-again").click();
  await page.reads("examples-warnings", /"hypothesis" holds texts too and is not read/);
  assert.equal(await page.at("example-row").first().locator("textarea").count(), 1);
  await page.at("column-text-pair").selectOption("hypothesis");
  await page.at("read-again").click();
  await page.reads("columns", /second text from "hypothesis"/);

  await page.setOptions({ numTrainEpochs: "1" });
  await page.start();
  await page.finished();
  await page.at("try-text").fill("the label");
  await page.at("try-text-pair").fill("a short story");
  await page.at("try-tuned").waitFor();
  const said = await page.at("try-tuned").innerText();
  const { name, bytes } = await page.export();
  const files = unzipSync(bytes);
  const labels = files["labels.json"];
  assert.ok(labels && JSON.parse(strFromU8(labels)).pairs);
  await page.importZip(name, bytes);
  await page.reads("import-note", /loaded/);
  // an imported adapter may read either: this one says that it needs two
  await page.at("try-text-pair").fill("");
  await page.reads("try-error", /learnt pairs of texts/);
  await page.at("try-text-pair").fill("a short story");
  await page.reads("try-tuned", new RegExp(said.slice(0, 20)));
  await close();
});

test("the command trains on pairs, and on one column alone", () => {
  const finetune = (/** @type {string[]} */ ...more) => {
    const settings = JSON.stringify({ method: { type: "probe" }, numTrainEpochs: 1 });
    const args = ["--model", "tiny", "--device", "cpu", "--train", "train.csv", "--options", settings, ...more];
    const { INIT_CWD: _, ...env } = process.env;
    const script = join(root, "scripts/finetune.mjs");
    return spawnSync(process.execPath, [script, ...args], { cwd: folder, env, encoding: "utf8" });
  };
  const predictions = (/** @type {string} */ out) => {
    const lines = readFileSync(join(folder, out, "predictions.jsonl"), "utf8")
      .trim()
      .split("\n");
    return lines.map((line) => JSON.parse(line));
  };
  const both = finetune("--out", "both");
  assert.equal(both.status, 0, both.stderr);
  assert.match(both.stderr + both.stdout, /note: train\.csv: each row is read as a pair of texts/);
  assert.ok(predictions("both").every(({ text_pair }) => text_pair.endsWith("again")));
  const turned = finetune("--text-column", "hypothesis", "--text-pair-column", "premise", "--out", "turned");
  assert.equal(turned.status, 0, turned.stderr);
  assert.ok(predictions("turned").every(({ text }) => text.endsWith("again")));
  const alone = finetune("--text-column", "premise", "--out", "alone");
  assert.equal(alone.status, 0, alone.stderr);
  assert.ok(predictions("alone").every(({ text_pair }) => text_pair === undefined));
  const other = finetune("--test", "single.csv", "--out", "other");
  assert.equal(other.status, 1, other.stderr);
  assert.match(other.stderr, /test example 1: expected pairs of texts, as trained, found single texts/);
  const misplaced = finetune("--task", "causal-lm", "--text-pair-column", "x", "--out", "misplaced");
  assert.match(misplaced.stderr, /--text-pair-column: it needs --task classification/);
});
