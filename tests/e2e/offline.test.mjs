/**
 * The page after its first visit: it opens while its server is gone, and a newer version comes at a press, never into a page in use.
 */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { serve } from "../../scripts/static-server.mjs";
import { keyboardOf } from "./support/keyboard.mjs";
import { putNextVersion } from "./support/next-version.mjs";
import { csv } from "./support/rows.mjs";
import { BASE, dist, openSite } from "./support/site.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

/** @typedef {import("./support/webtune-page.mjs").WebtunePage} WebtunePage */

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

/** @param {WebtunePage} page */
const isStored = (page) => page.reads("offline", /is stored in this browser and opens without a network/);

/** @param {WebtunePage} page */
async function startSorting(page) {
  await page.chooseDevice("cpu");
  await page.chooseModelFiles(tinyModel());
  await page.loadModel();
  await page.paste(csv(40));
  await page.setOptions({ "method.type": "lora", earlyStoppingPatience: "0", numTrainEpochs: "1000" });
  await page.start();
  await page.progress(/step \d/);
}

/** Hashed files that the browser keeps. @param {WebtunePage} page @returns {Promise<string[]>} */
const keptFiles = (page) =>
  page.raw.evaluate(async () => {
    const found = [];
    for (const name of await caches.keys()) found.push(...(await (await caches.open(name)).keys()));
    return found.map(({ url }) => url).filter((url) => url.includes("/assets/"));
  });

test("it opens without its server, reads rows and trains", async () => {
  const server = await serve({ mounts: { [BASE]: dist } });
  const { page, newPage, close } = await site.open({ stored: true, origin: server.origin });
  await isStored(page);
  await page.raw.close();
  await server.close();

  const again = await newPage();
  await again.paste("text,label\na,b\nc,d\n");
  await again.reads("examples-count", /2 examples/);
  await again.at("task-write").check({ force: true });
  await again.at("built-in-texts").click();
  await again.reads("texts-count", /\d/);
  // A reload, with what stands behind the question mark.
  await again.raw.reload();
  assert.match(again.raw.url(), /task=write/);
  await again.at("texts-drop").waitFor();
  await again.at("task-classify").check({ force: true });
  await startSorting(again);
  await again.at("stop").click();
  assert.equal((await again.finished()).reason, "stopped");
  await close();
});

test("the page of the first visit itself no longer needs its server", async () => {
  const server = await serve({ mounts: { [BASE]: dist } });
  const { page, close } = await site.open({ stored: true, origin: server.origin });
  await isStored(page);
  await server.close();
  await page.useBuiltInExamples();
  await startSorting(page);
  await page.at("stop").click();
  await page.finished();
  await close();
});

test("a newer version waits for a press, and a tab with a run keeps its own to the end", async () => {
  const folder = mkdtempSync(join(tmpdir(), "webtune-versions-"));
  cpSync(dist, folder, { recursive: true, filter: (path) => !path.includes("models") });
  const server = await serve({ mounts: { [BASE]: folder } });
  try {
    const { page: busy, newPage, close } = await site.open({ stored: true, origin: server.origin });
    await isStored(busy);
    const idle = await newPage();
    await isStored(idle);
    await startSorting(busy);
    putNextVersion(folder);

    // The browser looks for it as a page opens; the opened page is still the stored one.
    await idle.raw.reload();
    for (const page of [idle, busy]) {
      await page.reads("new-version", /A new version of this page is ready/);
      assert.doesNotMatch(await page.raw.title(), /^next/);
    }
    // Nor is one that is opened while the new version waits.
    await idle.raw.reload();
    await idle.reads("new-version", /A new version of this page is ready/);
    assert.doesNotMatch(await idle.raw.title(), /^next/);
    await busy.reads("new-version", /The run goes on in this one; reload when it has ended/);
    assert.equal(await busy.at("new-version-reload").getAttribute("aria-disabled"), "true");
    await busy.at("new-version-reload").click({ force: true });
    await busy.progress(/step \d/);

    const { keyboard, goTo } = keyboardOf(idle.raw);
    await goTo("new-version-reload");
    await Promise.all([idle.raw.waitForEvent("load"), keyboard.press("Enter")]);
    assert.match(await idle.raw.title(), /^next/);
    await isStored(idle);
    await idle.paste("text,label\na,b\nc,d\n");
    assert.equal(await idle.at("new-version").count(), 0);

    // The other tab's files are on no server any more, and a new engine needs them.
    assert.doesNotMatch(await busy.raw.title(), /^next/);
    assert.ok((await keptFiles(busy)).some((file) => !file.includes("AnewHash")));
    await busy.crashWorkers();
    await busy.reads("recovery", /The run continued at step|began anew/);
    await busy.progress(/step \d/);
    await busy.at("stop").click();
    assert.equal((await busy.finished()).reason, "stopped");
    await busy.reads("new-version", /Until you reload, this one stays as it is/);
    busy.raw.once("dialog", (dialog) => dialog.accept());
    await Promise.all([busy.raw.waitForEvent("load"), busy.at("new-version-reload").click()]);
    assert.match(await busy.raw.title(), /^next/);
    await isStored(busy);
    // No page needs the old files any more.
    for (let tries = 0; tries < 50 && (await keptFiles(busy)).some((file) => !file.includes("AnewHash")); tries += 1) {
      await busy.raw.waitForTimeout(100);
    }
    assert.deepEqual(
      (await keptFiles(busy)).filter((file) => !file.includes("AnewHash")),
      [],
    );
    await close();
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a folder without its service worker is a page as ever, and says that it is not stored", async () => {
  const folder = mkdtempSync(join(tmpdir(), "webtune-plain-"));
  cpSync(dist, folder, { recursive: true, filter: (path) => !/models|service-worker/.test(path) });
  const server = await serve({ mounts: { [BASE]: folder } });
  try {
    const { page, close } = await site.open({ stored: true, origin: server.origin });
    await page.reads("offline", /is not stored for use without a network \(.+\)\./);
    await page.paste("text,label\na,b\nc,d\n");
    await close();
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the page says what it keeps without being asked, and an access token is not offered to be stored", async () => {
  const { page, close } = await site.open();
  await page.at("kept-here").locator("summary").click();
  const said = await page.at("kept-here").innerText();
  for (const kept of [/last two states/, /name of the examples' file, the labels/, /access token is never stored/]) {
    assert.match(said, kept);
  }
  await page.chooseWebModel({ address: "somebody/tiny", hubUrl: "https://hub.test", accessToken: "hf_x" });
  const field = page.at("model-accessToken");
  // A password field is what a browser's password manager looks for, whatever `autocomplete` says.
  assert.equal(await field.getAttribute("type"), "text");
  assert.equal(
    await field.evaluate((element) => getComputedStyle(element).getPropertyValue("-webkit-text-security")),
    "disc",
  );
  await close();
});
