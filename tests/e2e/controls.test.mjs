/**
 * A long run of a tiny model on the page: a person can pause, resume and stop it.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { csv } from "./support/rows.mjs";
import { openSite } from "./support/site.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

/** @param {Record<string, string>} options */
async function startLongRun(options) {
  const opened = await site.open();
  const { page } = opened;
  await page.chooseDevice("cpu");
  await page.chooseModelFiles(tinyModel());
  await page.loadModel();
  await page.paste(csv(40));
  await page.setOptions({ earlyStoppingPatience: "0", ...options });
  await page.start();
  await page.progress(/step [1-9]/);
  return opened;
}

/** @param {import("./support/webtune-page.mjs").WebtunePage} page */
const stepNow = async (page) =>
  Number(/step ([\d,]+)/.exec(await page.at("train-progress-text").innerText())?.[1]?.replace(",", ""));

test("pause holds the run where it is, resume carries it to its end", async () => {
  const { page, close } = await startLongRun({ numTrainEpochs: "60" });
  const focused = await page.raw.evaluate(() => document.activeElement?.getAttribute("data-testid"));
  assert.equal(focused, "pause", "the pressed button went, and the keyboard's place moved to the next");
  await page.at("pause").click();
  await page.progress(/Paused/);
  // The step under way when Pause was pressed may still come in.
  await page.raw.waitForTimeout(1500);
  const held = await stepNow(page);
  await page.raw.waitForTimeout(2000);
  assert.equal(await stepNow(page), held, "no step while paused");
  await page.at("resume").click();
  assert.equal((await page.finished()).reason, "completed");
  await page.at("results").waitFor();
  await close();
});

test("stop keeps the best state so far, and another run can follow", async () => {
  const { page, close } = await startLongRun({ numTrainEpochs: "1000" });
  await page.at("stop").click();
  assert.equal((await page.finished()).reason, "stopped");
  await page.at("results").waitFor();
  assert.ok((await page.tryText("a short story")).tuned);
  await page.setOptions({ numTrainEpochs: "2" });
  // The adapter at hand was never exported: it goes only when the person says so.
  await page.start();
  await page.at("confirm-no").click();
  assert.equal((await page.finished()).reason, "stopped");
  await page.trainAgain();
  await close();
});

test("a paused run can be stopped", async () => {
  const { page, close } = await startLongRun({ numTrainEpochs: "1000" });
  await page.at("pause").click();
  await page.progress(/Paused/);
  await page.at("stop").click();
  assert.equal((await page.finished()).reason, "stopped");
  const { bytes } = await page.export();
  assert.ok(bytes.length > 0);
  await close();
});

test("after a crash of the engine the next call loads the model again, with what was tuned", async () => {
  const { page, close } = await startLongRun({ numTrainEpochs: "1000" });
  await page.at("stop").click();
  await page.finished();
  await page.at("export").waitFor();
  await page.crashWorkers();
  // The next request finds the engine gone.
  assert.ok((await page.tryText("a short story")).tuned);
  await page.waitForModel();
  assert.ok(await page.at("start").isEnabled());
  await page.crashWorkers();
  assert.ok((await page.export()).bytes.length > 0);
  await page.crashWorkers();
  await page.setOptions({ numTrainEpochs: "1" });
  await page.start();
  await page.raw.locator('[data-testid="train-finished"][data-reason="completed"]').waitFor();
  await close();
});
