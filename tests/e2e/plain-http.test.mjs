/**
 * The page on plain http, where a browser gives no locks, no private files, no `crypto.randomUUID` and no screen lock: everything works.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { strFromU8, unzipSync } from "fflate";
import { csv } from "./support/rows.mjs";
import { openSite } from "./support/site.mjs";
import { tinyModel } from "./support/tiny-model.mjs";
import { kept, waitUntilKept, writeStatesOften } from "./support/unfinished.mjs";

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite({ host: "webtune.test" });
});
after(() => site?.close());

const twoStates = (/** @type {string[]} */ names) => names.includes("state 0") && names.includes("state 1");

async function openWithModel() {
  const opened = await site.open();
  const { page } = opened;
  await page.chooseDevice("cpu");
  await page.chooseModelFiles(tinyModel());
  await page.loadModel();
  await page.paste(csv(20));
  return opened;
}

test("two runs are listed and compared, and the files are those of the last one", async () => {
  const { page, close } = await openWithModel();
  assert.deepEqual(
    await page.raw.evaluate(() => [
      isSecureContext,
      "locks" in navigator,
      "randomUUID" in crypto,
      "storage" in navigator,
    ]),
    [false, false, false, false],
  );
  /** @param {string} r */
  const rankOf = async (r) => {
    const { bytes } = await page.export();
    const config = unzipSync(bytes)["adapter_config.json"] ?? new Uint8Array();
    assert.equal(JSON.parse(strFromU8(config)).r, Number(r));
  };
  await page.setOptions({ "method.type": "lora", "method.r": "2", numTrainEpochs: "1" });
  await page.start();
  await page.finished();
  await rankOf("2");
  await page.setOptions({ "method.r": "4" });
  await page.start();
  await page.progress(/./);
  await page.finished();
  assert.equal(await page.at("train-error").innerText(), "");
  await rankOf("4");
  const names = ["lora · pasted text 2", "lora · pasted text"];
  await page.run(`${names[0]}`).waitFor();
  assert.deepEqual(await page.runNames(), names);
  await page
    .run(`${names[0]}`)
    .getByTestId("run-against")
    .filter({ hasText: /points/ })
    .waitFor();
  assert.ok((await page.tryText("a short story")).tuned);
  assert.equal(await page.at("runs-error").innerText(), "");

  await page.at("remember").check();
  await page.raw.waitForFunction(() => window.dispatchEvent(new Event("beforeunload", { cancelable: true })));
  await page.raw.reload();
  await page.reads("examples-count", /^40 /);
  await page.run(`${names[0]}`).waitFor();
  assert.deepEqual(await page.runNames(), names);
  await close();
});

test("a run goes on after a reload, and another tab is offered it only once its own tab is gone", async () => {
  const { page, close } = await openWithModel();
  await writeStatesOften(page.raw);
  await page.setOptions({ "method.type": "lora", earlyStoppingPatience: "0", numTrainEpochs: "1000" });
  await page.start();
  await page.progress(/step \d/);
  await waitUntilKept(page.raw, twoStates);
  const other = await page.raw.context().newPage();
  await other.goto(page.raw.url());
  await other.getByTestId("load-model").waitFor();
  await other.waitForTimeout(2000);
  assert.equal(await other.getByTestId("unfinished").isVisible(), false);
  await page.raw.reload();
  await page.reads("unfinished-text", /was cut off/);
  await page.at("continue-run").click();
  await page.at("continue-files").setInputFiles(tinyModel());
  await page.progress(/step \d/);
  await other.waitForTimeout(2000);
  assert.equal(await other.getByTestId("unfinished").isVisible(), false);
  await page.raw.close();
  await other
    .getByTestId("unfinished-text")
    .filter({ hasText: /was cut off/ })
    .waitFor();
  await other.getByTestId("discard-run").click();
  await other.getByTestId("confirm-yes").click();
  await waitUntilKept(other, (names) => names.length === 0);
  assert.deepEqual(await kept(other), []);
  await other.close();
  await close();
});
