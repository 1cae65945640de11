/**
 * The page on a machine with several cores: its confined workers train together, and the result is that of one.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { unzipSync } from "fflate";
import { csv } from "./support/rows.mjs";
import { openSite } from "./support/site.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

/** @param {number} cores What the browser says that there are. */
async function openOn(cores) {
  const opened = await site.open();
  const { page } = opened;
  await page.raw.addInitScript((count) => {
    Object.defineProperty(navigator, "hardwareConcurrency", { value: count });
  }, cores);
  await page.raw.reload();
  await page.chooseDevice("cpu");
  await page.chooseModelFiles(tinyModel());
  await page.loadModel();
  await page.paste(csv(20));
  await page.setOptions({
    "method.type": "lora",
    numTrainEpochs: "3",
    trainBatchSize: "4",
    gradientAccumulationSteps: "3",
    seed: "7",
  });
  return opened;
}

/** The exported files, but for the card, which has the date. @param {import("./support/webtune-page.mjs").WebtunePage} page */
async function trained(page) {
  await page.start();
  assert.equal((await page.finished()).reason, "completed");
  const files = unzipSync((await page.export()).bytes);
  const [weights] = Object.entries(files).filter(([path]) => path.endsWith("adapter_model.safetensors"));
  assert.ok(weights);
  return Buffer.from(weights[1]);
}

test("as many workers as there are cores to spare, whatever their number the same result", async () => {
  const alone = await openOn(2);
  await alone.page.reads("device-pill", /^CPU engine, 1 of 2 cores$/);
  const expected = await trained(alone.page);
  await alone.close();
  const several = await openOn(4);
  await several.page.reads("device-pill", /^CPU engine, 3 of 4 cores$/);
  assert.ok(expected.equals(await trained(several.page)));
  assert.ok((await several.page.tryText("a short story")).tuned);
  await several.close();
});

test("a crash of all of them is mended as that of one: the run goes on", async () => {
  const { page, close } = await openOn(4);
  await page.setOptions({ numTrainEpochs: "200", earlyStoppingPatience: "0" });
  await page.start();
  await page.progress(/step \d/);
  await page.crashWorkers();
  await page.reads("recovery", /continued at step \d+|began anew/);
  await page.progress(/step \d/);
  await page.reads("device-pill", /3 of 4 cores/);
  await page.at("stop").click();
  assert.equal((await page.finished()).reason, "stopped");
  await close();
});
