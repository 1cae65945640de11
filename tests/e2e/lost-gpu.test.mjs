/**
 * The browser's GPU process is killed, as by a reset of the driver: a run goes on where it was, and what was tuned can still be used.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openSite } from "./support/site.mjs";
import { startOnGpu, waitUntilKept } from "./support/unfinished.mjs";

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

/** The step that the page shows. @param {import("./support/webtune-page.mjs").WebtunePage} page */
async function step(page) {
  return Number(/step (\d+) of/.exec(await page.at("train-progress-text").innerText())?.[1]);
}

test("a run that loses the graphics card goes on by itself at the step where it was", async () => {
  const { page, close } = await site.open();
  await startOnGpu(page, 1000);
  await page.progress(/step \d/);
  await waitUntilKept(page.raw, (names) => names.includes("state 0") && names.includes("state 1"));
  const before = await step(page);
  await site.killGpu();
  const said = await page.reads("recovery", /graphics card was lost.*continued at step \d+\.$/);
  assert.ok(Number(/at step (\d+)/.exec(said)?.[1]) >= before - 1, `${said} (it was at ${before})`);
  await page.raw.waitForFunction((from) => {
    const words = document.querySelector('[data-testid="train-progress-text"]')?.textContent ?? "";
    return Number(/step (\d+) of/.exec(words)?.[1]) > from;
  }, before + 5);
  await page.reads("device-pill", /WebGPU/);
  await page.at("stop").click();
  assert.equal((await page.finished()).reason, "stopped");
  assert.ok((await page.export()).bytes.length > 0);
  await close();
});

test("a graphics card that is lost while nothing goes on is missed by nobody", async () => {
  const { page, close } = await site.open();
  await startOnGpu(page, 1);
  assert.equal((await page.finished()).reason, "completed");
  await page.at("try-text").waitFor();
  await site.killGpu();
  assert.ok((await page.tryText("a short story")).tuned);
  await page.reads("device-pill", /WebGPU/);
  assert.equal(await page.at("train-error").isVisible(), false);
  await close();
});
