/**
 * A file of texts is classified: on the page, with and without a file on the disk, stopped on the way, by keyboard alone; and by the command.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { root } from "../../scripts/cache.mjs";
import { keyboardOf } from "./support/keyboard.mjs";
import { csv } from "./support/rows.mjs";
import { openSite } from "./support/site.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

/** @typedef {import("./support/webtune-page.mjs").WebtunePage} WebtunePage */

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
/** @type {Awaited<ReturnType<Awaited<ReturnType<typeof openSite>>["open"]>>} A page with a trained classifier. */
let opened;
/** @type {string} */
let folder;

before(async () => {
  site = await openSite();
  folder = mkdtempSync(join(tmpdir(), "webtune classify "));
  opened = await site.open();
  const { page } = opened;
  await page.raw.evaluate(() => Reflect.set(window, "showSaveFilePicker", undefined));
  await page.chooseDevice("cpu");
  await page.chooseModelFiles(tinyModel());
  await page.loadModel();
  await page.paste(csv(8));
  await page.setOptions({ "method.type": "probe" });
  await page.start();
  await page.finished();
});
after(async () => {
  await site?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const file = [
  "id;Nachricht;note",
  '007;the quiet story;"a ""quoted"" note"',
  "8;too;many;cells",
  "",
  '9;"a short\nstory";=1+1',
  "10;;nothing to read",
  '11;"never closed;x',
  "12;quoted label;last",
].join("\r\n");

/** @param {WebtunePage} page @param {string} name @param {string} content */
async function choose(page, name, content) {
  await page.at("classify-file").setInputFiles({ name, mimeType: "text/csv", buffer: Buffer.from(content) });
  await page.reads("classify-source", RegExp(name));
}

/** Without what was added, which is the same for every row here: a label and a confidence. @param {string} text */
const withoutAnswers = (text) =>
  text.replace(/;(predicted_label;confidence|(story|label);[01]\.\d{4}|;)(?=\r?\n|$)/g, "");

/** @type {string} */
let byPage;
/** What was trained. @type {Buffer} */
let zip;

test("a file comes back with two more columns, and what cannot be read is told", async () => {
  const { page } = opened;
  await choose(page, "notes.csv", file);
  await page.reads("classify-reading", /CSV, semicolons, with a header/);
  await page.at("classify-column").selectOption("Nachricht");
  await page.at("classify-start").click();
  await page.reads(
    "classify-summary",
    /^Done in 1 s: 3 of 6 rows labelled, 1 without a text, 2 that cannot be read\. Download/,
  );
  const problems = await page.reads("classify-problems", /These 2 rows are/);
  assert.match(problems, /Row 3: expected 3 columns as in the first row, found 4; .*semicolon/);
  assert.match(problems, /Row 7 \(line 8\): a double quote opens a cell here and is never closed/);
  await page.reads("classify-formula-note", /^1 cell of your own begins as a formula/);
  assert.ok(await page.leavingIsHeld(), "the result is not downloaded yet");
  const { name, bytes } = await page.export(() => page.at("classify-download").click());
  byPage = bytes.toString();
  assert.equal(name, "notes-labelled.csv");
  assert.equal(withoutAnswers(byPage), file);
  assert.match(byPage, /^id;Nachricht;note;predicted_label;confidence\r\n007;.*;(story|label);0\.\d{4}\r\n/);
  assert.match(byPage, /\r\n8;too;many;cells\r\n\r\n/);

  await page.at("classify-threshold").fill("100");
  await page.at("classify-reading").click();
  await page.at("classify-formulas").check();
  await page.at("classify-start").click();
  await page.reads("classify-summary", /^Done in 1 s: 0 of 6 rows labelled, 3 under the least confidence/);
  const safe = (await page.export(() => page.at("classify-download").click())).bytes.toString();
  assert.match(safe, /\r\n9;"a short\nstory";"'=1\+1";;0\.\d{4}\r\n/);
  await page.at("classify-formulas").uncheck();
  await page.at("classify-threshold").fill("many");
  await page.at("classify-start").click();
  await page.reads("classify-error", /Least confidence: expected a number from 0 to 100, found many/);
  await page.at("classify-threshold").fill("0");
});

test("a file that is no table is refused in words, and an old encoding is a press away", async () => {
  const { page } = opened;
  await choose(page, "book.xlsx", "PK\x03\x04");
  await page.reads("classify-error", /book\.xlsx: expected text, but this looks like an Excel workbook .*Save As/);
  await page.at("classify-file").setInputFiles({
    name: "old.csv",
    mimeType: "text/csv",
    buffer: Buffer.from("text;n\nf\xfcr;1\n", "latin1"),
  });
  await page.reads("classify-error", /old\.csv: expected UTF-8 text, but line 2/);
  await page.at("classify-error-remedy").click();
  await page.reads("classify-reading", /CSV, semicolons/);
  assert.equal(await page.at("classify-encoding").inputValue(), "windows-1252");
  if (!(await page.at("classify-format").isVisible())) await page.at("classify-reading").click();
  await page.at("classify-format").selectOption("jsonl");
  await page.reads("classify-error", /old\.csv: expected a JSON object on each line/);
  assert.equal(await page.at("classify-format").inputValue(), "csv", "what could be read stays");
});

test("stopped on the way, what is done so far is there; on the disk where the browser writes files", async () => {
  const { page } = opened;
  const rows = 60_000;
  await choose(page, "long.txt", Array.from({ length: rows }, (_, index) => `a short story ${index}\n`).join(""));
  await page.reads("classify-reading", /a text on each line/);
  await page.raw.evaluate(() => {
    const pick = async ({ suggestedName = "" }) =>
      (await navigator.storage.getDirectory()).getFileHandle(suggestedName, { create: true });
    Reflect.set(window, "showSaveFilePicker", pick);
  });
  await page.at("classify-start").click();
  await page.reads("classify-progress-text", /rows done, [\d,]+ a second, about .* left/);
  assert.ok(await page.at("export").isDisabled());
  assert.ok(await page.at("start").isDisabled());
  await page.at("classify-stop").click();
  const words = await page.reads(
    "classify-summary",
    /^Stopped after .*; the rows so far: .*\. They are in long-labelled\.csv\.$/,
  );
  const [, labelled, of] = /: ([\d,]+) of ([\d,]+) rows labelled\./.exec(words) ?? [];
  assert.equal(labelled, of);
  const written = await page.raw.evaluate(async () => {
    const handle = await (await navigator.storage.getDirectory()).getFileHandle("long-labelled.csv");
    return (await handle.getFile()).text();
  });
  const lines = written.trimEnd().split("\n");
  const done = Number(of?.replaceAll(",", ""));
  assert.ok(done > 0 && done < rows, `${done} rows`);
  assert.equal(lines.length, done + 1);
  assert.equal(lines[0], "text,predicted_label,confidence");
  assert.match(`${lines[done]}`, RegExp(`^a short story ${done - 1},(story|label),0\\.\\d{4}$`));
  assert.equal(await page.at("classify-download").count(), 0);
  await page.raw.evaluate(() => Reflect.set(window, "showSaveFilePicker", undefined));
});

test("by keyboard alone, and in the width of a phone", async () => {
  const { page } = opened;
  await page.raw.setViewportSize({ width: 390, height: 800 });
  const { keyboard, focused, goTo } = keyboardOf(page.raw);
  // A browser's own dialog for files is out of a page's reach.
  await choose(page, "notes.csv", file);
  await page.at("classify-file").focus();
  await goTo("classify-column");
  // Each key's choice reads the file again.
  for (const [key, column] of [
    ["ArrowUp", "id"],
    ["ArrowDown", "Nachricht"],
  ]) {
    await keyboard.press(`${key}`);
    await page.raw.waitForFunction((wanted) => {
      const select = /** @type {HTMLSelectElement | null} */ (
        document.querySelector('[data-testid="classify-column"]')
      );
      return select?.value === wanted && !select?.disabled;
    }, column);
  }
  assert.equal((await focused()).testId, "classify-column", "the keyboard keeps its place");
  await goTo("classify-threshold");
  await keyboard.press("ControlOrMeta+a");
  await keyboard.type("0");
  await goTo("classify-start");
  await keyboard.press("Enter");
  await page.reads("classify-summary", /^Done in 1 s: 3 of 6 rows labelled/);
  await goTo("classify-download");
  const { bytes } = await page.export(() => keyboard.press("Enter"));
  assert.equal(bytes.toString(), byPage);
  const width = await page.raw.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 390, `the page is ${width} pixels wide`);
  await page.raw.setViewportSize({ width: 1280, height: 900 });
});

test("an imported adapter says if it reads no pairs", async () => {
  const { page } = opened;
  zip = (await page.export()).bytes;
  await page.importZip("tuned.zip", zip);
  await page.reads("import-note", /tuned\.zip is loaded/);
  await choose(page, "faq.csv", "question,answer\nthe quiet story,a short story\n");
  await page.at("classify-start").click();
  await page.reads(
    "classify-error",
    /learnt single texts, .*choose “none: single texts” as the column of second texts/,
  );
  assert.equal(await page.at("classify-outcome").count(), 0);
  await page.at("classify-pair-column").selectOption("");
  await page.at("classify-start").click();
  await page.reads("classify-summary", /1 of 1 row labelled/);
});

test("the command writes the same bytes, from an exported zip", async () => {
  await opened.close();
  mkdirSync(join(folder, "tiny"));
  for (const { name, buffer } of tinyModel()) writeFileSync(join(folder, "tiny", name), buffer);
  writeFileSync(join(folder, "tuned.zip"), zip);
  writeFileSync(join(folder, "notes.csv"), file);
  const { INIT_CWD: _, ...env } = process.env;
  const classify = (/** @type {string[]} */ ...args) =>
    spawnSync(process.execPath, [join(root, "scripts/classify.mjs"), ...args], { cwd: folder, env, encoding: "utf8" });
  const common = ["--adapter", "tuned.zip", "--model", "tiny", "--device", "cpu"];
  const { status, stderr } = classify(...common, "--text-column", "Nachricht", "notes.csv", "labelled.csv");
  assert.equal(status, 0, stderr);
  assert.equal(readFileSync(join(folder, "labelled.csv"), "utf8"), byPage);
  assert.match(stderr, /notes\.csv: csv; columns id, Nachricht, note; the text is in "Nachricht"/);
  assert.match(stderr, /note: row 7 \(line 8\) is written as it was: a double quote/);
  assert.match(stderr, /6 rows: 3 labelled, 1 without a text, 2 that cannot be read/);

  const refused = (/** @type {RegExp} */ words, /** @type {string[]} */ ...args) => {
    const { status, stderr } = classify(...args);
    assert.equal(status, 1, stderr);
    assert.match(stderr, words);
  };
  refused(/OUTPUT: notes\.csv is the input/, ...common, "notes.csv", "notes.csv");
  refused(/--threshold: expected a number from 0 to 1, found 2/, ...common, "--threshold", "2", "notes.csv", "x.csv");
  refused(/--adapter: tiny holds neither labels\.json/, "--adapter", "tiny", "notes.csv", "x.csv");
  refused(
    /--text-column: there is no column "text"; the columns are: "id"/,
    ...common,
    "--text-column",
    "text",
    "notes.csv",
    "x.csv",
  );
});
