/**
 * Examples and settings that cannot work: the page shows one clear message, and still works.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { csv } from "./support/rows.mjs";
import { openSite } from "./support/site.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

async function openWithModel() {
  const opened = await site.open();
  await opened.page.chooseDevice("cpu");
  await opened.page.chooseModelFiles(tinyModel());
  await opened.page.loadModel();
  return opened;
}

/** After a refusal: good rows train. @param {import("./support/webtune-page.mjs").WebtunePage} page */
async function stillTrains(page) {
  await page.paste(csv(8));
  await page.setOptions({ numTrainEpochs: "1", learningRate: "", trainBatchSize: "", maxLength: "" });
  await page.start();
  assert.equal((await page.finished()).reason, "completed");
}

describe("files that cannot be read", () => {
  /** @type {[string, string, string | Buffer, RegExp][]} */
  const cases = [
    ["an empty file", "empty.csv", "", /empty\.csv.*empty/],
    [
      "a binary file named .csv",
      "photo.csv",
      Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0xff, 0xfe, 0]),
      /photo\.csv/,
    ],
    [
      "text that is not UTF-8",
      "latin.csv",
      Buffer.concat([Buffer.from("text,label\ncaf"), Buffer.from([0xe9]), Buffer.from(" opens,place\n")]),
      /latin\.csv.*14/,
    ],
    ["ragged rows", "ragged.csv", "text,label\nfirst,a\nsecond,b,c,d\nthird,b\n", /ragged\.csv, row 3/],
    ["a broken JSON line", "broken.jsonl", '{"text":"one","label":"a"}\n{"text":"two",\n', /broken\.jsonl, row 2/],
  ];
  for (const [title, name, content, message] of cases) {
    test(title, async () => {
      const { page, close } = await site.open();
      await page.paste(csv(4));
      await page.chooseExamples(name, content);
      await page.examplesError(message);
      assert.match(await page.at("examples-count").innerText(), /^8 /, "the rows from before are still there");
      await page.chooseExamples("good.csv", csv(5));
      await page.examplesNote(/good\.csv/);
      assert.match(await page.at("examples-count").innerText(), /^10 /);
      await close();
    });
  }
});

describe("files that can be read in another way", () => {
  test("by a press: as Windows-1252, and without the rows that cannot be used", async () => {
    const { page, close } = await site.open();
    const latin = "text,label\ncafé opens,place\n";
    await page.chooseExamples("latin.csv", Buffer.from(latin, "latin1"));
    await page.examplesError(/latin\.csv.*Windows-1252/);
    await page.at("examples-error-remedy").click();
    await page.examplesNote(/Read 1 example from latin\.csv as windows-1252/);
    assert.match(await page.at("source-encoding").inputValue(), /windows-1252/);
    await page.chooseExamples("ragged.csv", "text,label\nfirst,a\nsecond,b,c,d\nthird,b\n");
    await page.examplesError(/ragged\.csv, row 3/);
    await page.at("examples-error-remedy").click();
    await page.examplesNote(/Read 2 examples from ragged\.csv\. Left out, as they cannot be used: row 3/);
    assert.equal(await page.at("examples-error-remedy").count(), 0);
    await close();
  });

  test("a second text is told, and what was decided can be changed", async () => {
    const { page, close } = await site.open();
    await page.paste("sentence1,sentence2,label\na cat sits here,a dog runs there,no\none more,one more,yes\n");
    await page.reads("examples-warnings", /pair of texts: first "sentence1", then "sentence2"/);
    await page.chooseExamples("plain.csv", "a text,first\nanother,second\n");
    await page.examplesNote(/Read 2 examples/);
    await page.at("columns").locator("summary").click();
    await page.at("source-header").selectOption("true");
    await page.at("read-again").click();
    await page.examplesNote(/Read 1 example from plain\.csv/);
    assert.equal(await page.at("examples-warnings").count(), 0);
    await close();
  });
});

test("a file of rows that is too large is not read", async () => {
  const folder = mkdtempSync(join(tmpdir(), "webtune-rows-"));
  const path = join(folder, "huge.csv");
  writeFileSync(path, "text,label\n");
  truncateSync(path, 5e9);
  try {
    const { page, close } = await site.open();
    await page.paste(csv(4));
    await page.at("examples-file").setInputFiles(path);
    await page.examplesError(/huge\.csv: a file of rows may have 200 MB at most, and this has 5\.00 GB; split it/);
    assert.match(await page.at("examples-count").innerText(), /^8 /);
    await close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

describe("examples that cannot train", () => {
  test("one label only", async () => {
    const { page, close } = await openWithModel();
    await page.paste("text,label\none,story\ntwo,story\nthree,story\n");
    await page.start();
    await page.trainError(/label/);
    await stillTrains(page);
    await close();
  });

  test("a label with one example", async () => {
    const { page, close } = await openWithModel();
    await page.paste(`${csv(4)}a lonely text,lonely\n`);
    await page.start();
    await page.trainError(/lonely/);
    await stillTrains(page);
    await close();
  });

  test("a text of 10,000 characters is cut, and the page says so", async () => {
    const { page, close } = await openWithModel();
    await page.paste(`${csv(8)}${"story ".repeat(1700).trim()},story\n`);
    await page.setOptions({ numTrainEpochs: "1" });
    await page.start();
    await page.reads("train-warnings", /cut|longer|truncated/i);
    assert.equal((await page.finished()).reason, "completed");
    await close();
  });
});

describe("runs that cannot end well", () => {
  test("a learning rate that diverges stops the run and keeps the last good state", async () => {
    const { page, close } = await openWithModel();
    await page.paste(csv(20));
    await page.setOptions({
      learningRate: "1e38",
      headLearningRate: "1e38",
      maxGradNorm: "0",
      warmupRatio: "0",
      numTrainEpochs: "20",
    });
    await page.start();
    const { reason, message } = await page.finished();
    assert.equal(reason, "diverged");
    assert.match(message, /NaN|diverged|not a number|infinite/i);
    assert.ok((await page.tryText("a short story")).tuned);
    await page.setOptions({ headLearningRate: "", maxGradNorm: "", warmupRatio: "" });
    await page.setOptions({ learningRate: "", numTrainEpochs: "1" });
    await page.trainAgain();
    await close();
  });

  test("more memory than there is: the numbers are reported before anything is allocated", async () => {
    const { page, close } = await site.open();
    await page.chooseDevice("cpu");
    await page.loadDefaultModel();
    const long = "every word of this is read and kept in memory ".repeat(80).trim();
    const rows = Array.from({ length: 600 }, (_, index) => `${long} ${index},${index % 2 ? "odd" : "even"}`);
    // From a file: a text area takes a browser half a minute on a busy machine to lay out.
    await page.chooseExamples("long.csv", `text,label\n${rows.join("\n")}\n`);
    await page.reads("examples-note", /600 examples/);
    // Mixout mixes the weights once a batch, which therefore is not computed in parts.
    const whole = { "method.type": "full", mixout: "0.1" };
    await page.setOptions({ ...whole, trainBatchSize: "512", maxLength: "512" });
    await page.start();
    await page.trainError(/needs about \d+ MiB, but only \d+ MiB/);
    await page.paste("text,label\nmoney back,billing\nmy card,billing\nwhere is it,delivery\nlate parcel,delivery\n");
    await page.setOptions({ trainBatchSize: "4", maxLength: "64", numTrainEpochs: "1", mixout: "0" });
    await page.start();
    assert.equal((await page.finished()).reason, "completed");
    await close();
  });

  test("an option that is no number, and one out of its range, are marked", async () => {
    const { page, close } = await openWithModel();
    await page.paste(csv(4));
    await page.setOptions({ numTrainEpochs: "many" });
    await page.start();
    await page.reads("option-numTrainEpochs-error", /number/);
    await page.setOptions({ numTrainEpochs: "1", validationSplit: "1.5" });
    await page.start();
    await page.trainError(/validation/i);
    await page.reads("option-validationSplit-error", /1\.5/);
    await page.setOptions({ validationSplit: "" });
    await stillTrains(page);
    await close();
  });
});

describe("labels with unusual names", () => {
  test("names that every JavaScript object has are labels like any other, also after a reload", async () => {
    const { page, close } = await openWithModel();
    const names = ["constructor", "__proto__", "toString"];
    const rows = Array.from({ length: 24 }, (_, index) => `the quiet story ${index},${names[index % names.length]}`);
    await page.paste(`text,label\n${rows.join("\n")}\n`);
    await page.at("label-descriptions").locator("summary").click();
    await page.at("describe-__proto__").fill("the prototype");
    assert.equal(await page.at("describe-constructor").inputValue(), "");
    await page.reads("label-descriptions", /1 described/);
    await page.setOptions({ numTrainEpochs: "1" });
    await page.start();
    assert.equal((await page.finished()).reason, "completed");
    await page.at("class-table").waitFor();
    await page.at("remember").check();
    await page.export();
    await page.raw.waitForFunction(() => window.dispatchEvent(new Event("beforeunload", { cancelable: true })));
    await page.raw.reload();
    await page.reads("examples-count", /^24 /);
    assert.ok(await page.at("clear-examples").isEnabled());
    await close();
  });

  test("a column of ids chosen as labels neither breaks nor floods the page", async () => {
    const { page, close } = await openWithModel();
    const rows = Array.from({ length: 130_000 }, (_, index) => `a short story,id${index}`);
    await page.chooseExamples("ids.csv", `text,label\n${rows.join("\n")}\n`);
    await page.reads("examples-count", /^130,000 /);
    assert.equal(await page.at("label-counts").locator("li").count(), 200);
    await page.reads("labels-left-out", /129,800 more labels/);
    await page.start();
    await page.trainError(/label/);
    await stillTrains(page);
    await close();
  });

  test("a thousand labels: the matrix draws those with the most mistakes, and says so", async () => {
    const { page, close } = await openWithModel();
    const words = ["quiet", "short", "many", "spring", "quoted", "query", "single", "played"];
    const rows = Array.from(
      { length: 3000 },
      (_, index) => `the ${words[index % 8]} story ${words[(index >> 3) % 8]} ${index},label ${index % 1000}`,
    );
    await page.chooseExamples("many.csv", `text,label\n${rows.join("\n")}\n`);
    await page.reads("examples-count", /^3,000 /);
    await page.setOptions({ recipe: "fast", "method.type": "probe", numTrainEpochs: "1", maxLength: "16" });
    await page.start();
    await page.finished();
    await page.reads("confusion-left-out", /40 of 1,000 labels are drawn: those with the most mistakes/);
    assert.equal(await page.at("confusion").locator("tbody tr").count(), 40);
    const begun = performance.now();
    await page.at("confusion-probe").check({ force: true });
    assert.ok(performance.now() - begun < 2000);
    await page.tryText("the quiet story");
    await page.reads("try-tuned-left-out", /20 likeliest of 1,000/);
    await close();
  });
});

describe("rows that are in no file", () => {
  test("leaving is held: also after undo, and when they are remembered no more", async () => {
    const { page, close } = await site.open();
    await page.chooseExamples("rows.csv", csv(4));
    await page.examplesNote(/rows\.csv/);
    assert.equal(await page.leavingIsHeld(), false, "all rows are in that file");
    await page.at("add-row").click();
    await page.raw.keyboard.type("typed by hand");
    assert.equal(await page.leavingIsHeld(), true);
    await page.at("clear-examples").click();
    assert.equal(await page.leavingIsHeld(), false);
    await page.at("undo-examples").click();
    assert.equal(await page.leavingIsHeld(), true, "undo brings the typed row back");
    await page.at("remember").check();
    await page.raw.waitForFunction(() => window.dispatchEvent(new Event("beforeunload", { cancelable: true })));
    await page.at("remember").uncheck();
    await page.raw.waitForFunction(() => !window.dispatchEvent(new Event("beforeunload", { cancelable: true })));
    await close();
  });

  test("leaving is held after a paste, until all rows are saved, those without a label too", async () => {
    const { page, close } = await site.open();
    await page.paste(csv(4));
    assert.equal(await page.leavingIsHeld(), true, "the next copy replaces the clipboard");
    await page.at("add-row").click();
    await page.raw.keyboard.type("a text without a label");
    const { bytes } = await page.export(() => page.at("save-examples").click());
    assert.equal(await page.leavingIsHeld(), false);
    const lines = bytes.toString().trim().split("\n");
    assert.equal(lines.length, 9);
    assert.deepEqual(JSON.parse(`${lines.at(-1)}`), { text: "a text without a label", label: "" });
    await close();
  });
});

describe("no WebGPU", () => {
  test("asked for, it is refused in words; automatic takes the CPU and says why", async () => {
    const bare = await openSite({ webgpu: false });
    try {
      const { page, close } = await bare.open();
      await page.chooseModelFiles(tinyModel());
      await page.chooseDevice("webgpu");
      await page.pressLoad();
      await page.modelError(/WebGPU is not available/);
      await page.chooseDevice("auto");
      await page.loadModel();
      assert.match(await page.deviceReason(), /CPU engine runs, because/);
      await stillTrains(page);
      await close();
    } finally {
      await bare.close();
    }
  });
});
