/**
 * The page in two tabs at once, and a storage that another tab has changed: nothing is written over without a question.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { csv } from "./support/rows.mjs";
import { openSite } from "./support/site.mjs";
import { tinyModel } from "./support/tiny-model.mjs";
import { waitUntilKept, writeStatesOften } from "./support/unfinished.mjs";
import { WebtunePage } from "./support/webtune-page.mjs";

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

/** @param {WebtunePage} page */
const isRemembered = (page) =>
  page.raw.waitForFunction(() => window.dispatchEvent(new Event("beforeunload", { cancelable: true })));

/** Another tab of the same browser. @param {WebtunePage} page */
async function tabNextTo(page) {
  const raw = await page.raw.context().newPage();
  await raw.goto(page.raw.url());
  await raw.getByTestId("load-model").waitFor();
  return new WebtunePage(raw);
}

/** @param {WebtunePage} page */
async function remember(page) {
  await page.at("remember").check();
  await isRemembered(page);
}

test("a tab that was opened earlier does not write over the rows of the other one: it asks", async () => {
  const { page: first, close } = await site.open();
  await first.paste(csv(5));
  await remember(first);
  const second = await tabNextTo(first);
  await second.reads("examples-count", /^10 /);

  await first.paste(csv(50));
  await isRemembered(first);
  await second.reads("elsewhere", /Another tab has remembered 100 examples .* The 10 examples of this tab are not/);
  await second.at("add-row").click();
  await second.raw.keyboard.type("typed in the second tab");
  await second.raw.waitForTimeout(1000);
  assert.equal(await second.leavingIsHeld(), true);
  assert.equal(await first.leavingIsHeld(), false);

  await second.at("take-those").click();
  await second.reads("examples-count", /^100 /);
  assert.equal(await second.leavingIsHeld(), false);
  await second.at("undo-examples").click();
  await second.reads("examples-count", /^10 /);
  // What undo brought back is remembered, and now the first tab is the one that has to say.
  await first.reads("elsewhere", /Another tab has remembered 11 examples/);
  assert.equal(await first.leavingIsHeld(), true);
  await first.at("keep-these").click();
  await isRemembered(first);
  await second.reads("elsewhere", /Another tab has remembered 100 examples/);

  const third = await tabNextTo(first);
  await third.reads("examples-count", /^100 /);
  await third.at("remember").uncheck();
  await first.reads("elsewhere", /was removed, perhaps in another tab/);
  assert.equal(await first.leavingIsHeld(), true);
  await first.at("keep-these").click();
  await isRemembered(first);
  await close();
});

test("rows are stored as they were when a person last said so, also if that changes while they are stored", async () => {
  const { page, close } = await site.open();
  await page.paste(csv(200));
  const box = page.at("remember");
  for (let times = 0; times < 5; times += 1) await box.click();
  await box.click();
  await page.raw.waitForTimeout(1000);
  await page.at("add-row").click();
  await page.raw.keyboard.type("not to be stored");
  await page.raw.waitForTimeout(1000);
  const other = await tabNextTo(page);
  await other.raw.waitForTimeout(500);
  assert.equal(await other.at("examples-count").count(), 0);
  await close();
});

test("two tabs with a run each go on with their own", async () => {
  const { page: first, close } = await site.open();
  const second = await tabNextTo(first);
  const perLabel = [12, 16];
  for (const [index, page] of [first, second].entries()) {
    await writeStatesOften(page.raw);
    await page.chooseDevice("cpu");
    await page.chooseModelFiles(tinyModel());
    await page.loadModel();
    await page.paste(csv(perLabel[index] ?? 0));
    await page.setOptions({ "method.type": "lora", earlyStoppingPatience: "0", numTrainEpochs: "1000" });
    await page.start();
    await page.progress(/step \d/);
  }
  await waitUntilKept(first.raw, (names) => names.filter((name) => name === "state 1").length === 2);
  for (const page of [first, second]) await page.raw.reload();
  await first.reads("unfinished-text", /on 24 examples was cut off/);
  await second.reads("unfinished-text", /on 32 examples was cut off/);
  for (const page of [first, second]) {
    await page.at("continue-run").click();
    await page.at("continue-files").setInputFiles(tinyModel());
    await page.progress(/step \d/);
    assert.equal(await page.at("unfinished").isVisible(), false);
  }
  for (const page of [first, second]) {
    await page.at("stop").click();
    assert.equal((await page.finished()).reason, "stopped");
  }
  await waitUntilKept(first.raw, (names) => names.length === 0);
  await close();
});

/** As a version of the page that comes later. @param {WebtunePage} page */
const upgrade = (page) =>
  page.raw.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open("webtune-page", 1000);
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          opening.result.close();
          resolve(undefined);
        };
      }),
  );

test("a storage that another tab has upgraded: said, and nothing counts as stored", async () => {
  const { page, close } = await site.open();
  await page.paste(csv(5));
  await remember(page);
  await upgrade(page);
  await page.at("add-row").click();
  await page.raw.keyboard.type("typed after the upgrade");
  await page.reads("examples-error", /newer version of this page.*save your work to files, then reload/);
  assert.equal(await page.leavingIsHeld(), true);
  assert.equal(await page.at("remember").isChecked(), false);
  await page.export(() => page.at("save-examples").click());
  assert.equal(await page.leavingIsHeld(), false);
  await close();
});

test("a storage that an older version of the page holds open: said, and taken up once it is free", async () => {
  const { page, close } = await site.open();
  const other = await tabNextTo(page);
  await other.raw.evaluate(
    () =>
      new Promise((resolve) => {
        indexedDB.deleteDatabase("webtune-page").onsuccess = () => {
          // A connection that does not let go.
          indexedDB.open("webtune-page", 1).onsuccess = (event) => {
            Reflect.set(window, "held", /** @type {IDBOpenDBRequest} */ (event.target).result);
            resolve(undefined);
          };
        };
      }),
  );
  await page.paste(csv(5));
  await page.at("remember").check();
  await page.reads("examples-error", /another tab is using this page's storage/);
  assert.equal(await page.leavingIsHeld(), true);
  await other.raw.evaluate(() => Reflect.get(window, "held").close());
  await remember(page);
  await close();
});

test("a full disk: said, and what was stored before stays", async () => {
  const { page, close } = await site.open();
  const session = await page.raw.context().newCDPSession(page.raw);
  await session.send("Storage.overrideQuotaForOrigin", { origin: site.origin, quotaSize: 500_000 });
  await page.paste(csv(5));
  await remember(page);
  // What is stored is compressed, and this does not get smaller.
  const noise = Array.from({ length: 20_000 }, (_, index) => `${randomBytes(48).toString("base64")},${index % 2}`);
  await page.chooseExamples("many.csv", `text,label\n${noise.join("\n")}\n`);
  await page.reads("examples-error", /Remembering failed: the storage is full/);
  await page.at("add-row").click();
  await page.raw.keyboard.type("typed");
  assert.equal(await page.leavingIsHeld(), true);
  await session.send("Storage.overrideQuotaForOrigin", { origin: site.origin });
  const other = await tabNextTo(page);
  await other.reads("examples-count", /^10 /);
  await close();
});
