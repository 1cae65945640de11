/**
 * Models stay on this computer: a second visit loads one with its server gone, a cut download goes on, and what a person removes is gone.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startHubStub } from "../hub-stub.mjs";
import { csv } from "./support/rows.mjs";
import { openSite } from "./support/site.mjs";
import { changed, tinyModel } from "./support/tiny-model.mjs";
import { WebtunePage } from "./support/webtune-page.mjs";

const WEIGHTS = "model.safetensors";
const size = Number(tinyModel().find(({ name }) => name === WEIGHTS)?.buffer.length);
/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

/** @typedef {Awaited<ReturnType<typeof startHubStub>>} Hub */

/**
 * A page, and a hub with a model of its own.
 * @param {(given: { page: WebtunePage, hub: Hub, folder: string }) => Promise<void>} body
 * @param {(hub: Hub) => string[]} servers which the page asks
 */
async function withHub(body, servers = ({ url, storageUrl }) => [url, storageUrl]) {
  const folder = mkdtempSync(join(tmpdir(), "webtune-kept-"));
  mkdirSync(folder, { recursive: true });
  for (const { name, buffer } of tinyModel()) writeFileSync(join(folder, name), buffer);
  const hub = await startHubStub({ repositories: { "somebody/tiny": folder } });
  try {
    const { page, close } = await site.open();
    await page.chooseDevice("cpu");
    await body({ page, hub, folder });
    await close({ hosts: servers(hub) });
  } finally {
    await hub.close();
    rmSync(folder, { recursive: true });
  }
}

/** A web address is one of the second server. @param {Hub} hub */
const storageAlone = ({ storageUrl }) => [storageUrl];

/** Another visit with the same browser. @param {WebtunePage} page */
async function visitAgain(page) {
  await page.raw.bringToFront();
  await page.raw.reload();
  await page.chooseDevice("cpu");
}

/** @param {WebtunePage} page @param {string} [words] what is shown of the only kept model */
async function loadKept(page, words) {
  const facts = await page.reads("kept-facts", new RegExp(words ?? "."));
  await page.at("kept-load").click();
  return facts;
}

/** Names and sizes of all that the browser keeps for this page. @param {WebtunePage} page @returns {Promise<[string, number][]>} */
function onDisk(page) {
  return page.raw.evaluate(async () => {
    /** @type {[string, number][]} */
    const found = [];
    const look = async (/** @type {any} */ folder) => {
      for await (const [name, handle] of folder.entries()) {
        if (handle.kind === "directory") await look(handle);
        else found.push([name, (await handle.getFile()).size]);
      }
    };
    await look(await navigator.storage.getDirectory());
    return found;
  });
}

/** Ranges of a file's bytes that went over the wire. @param {Hub} hub @param {string} path */
const bodies = (hub, path) =>
  hub.requests.filter(
    ({ host, path: asked, range }) => host === "storage" && asked.endsWith(path) && /^bytes=\d+-$/.test(range ?? ""),
  );

/** @param {WebtunePage} page */
async function trainAStep(page) {
  await page.paste(csv(8));
  await page.setOptions({ numTrainEpochs: "1" });
  await page.start();
  assert.equal((await page.finished()).reason, "completed");
}

for (const kind of ["repository", "address"]) {
  test(`${kind}: the second visit loads and trains with the server gone`, () =>
    withHub(
      async ({ page, hub }) => {
        const where =
          kind === "repository"
            ? { address: "somebody/tiny", hubUrl: hub.url }
            : { address: `${hub.storageUrl}/somebody/tiny?signature=SECRET` };
        assert.equal(await page.at("kept-model").count(), 0);
        await page.chooseWebModel(where);
        await page.loadModel();
        assert.equal(await page.at("model-notices").innerText(), "");
        await page.reads("kept-facts", /\d.*B, \d+ \w+, from 127\.0\.0\.1/);
        await hub.close();
        await visitAgain(page);
        await loadKept(page);
        await page.waitForModel();
        await page.reads(
          "model-notices",
          /The files that were kept on .* are used, because the server doesn't give them/,
        );
        await trainAStep(page);
      },
      kind === "repository" ? undefined : storageAlone,
    ));
}

test("the page's own model loads with no server for it", async () => {
  const { page, close } = await site.open();
  await page.chooseDevice("cpu");
  await page.loadDefaultModel();
  await page.raw.route("**/models/**", (route) => route.abort());
  await visitAgain(page);
  await loadKept(page, "9\\d MB, .*from this page's server");
  await page.waitForModel();
  assert.equal(await page.at("source-default").isChecked(), true);
  assert.match(await page.at("model-name").innerText(), /all-MiniLM-L6-v2/);
  await close();
});

test("a download that was cut goes on in the next visit, with no byte twice", () =>
  withHub(async ({ page, hub }) => {
    Object.assign(hub.options, { cutFirst: 4, cutPath: WEIGHTS });
    await page.chooseWebModel({ address: `${hub.storageUrl}/somebody/tiny` });
    await page.pressLoad();
    await page.modelError(/model\.safetensors: got \d+ of \d+ bytes/);
    await page.reads("kept-facts", /download was cut off/);
    await visitAgain(page);
    await loadKept(page, "cut off");
    await page.waitForModel();
    await page.reads("kept-facts", /^(?!.*cut off)/);
    let sent = 0;
    for (const { range } of bodies(hub, WEIGHTS)) {
      assert.equal(range, `bytes=${sent}-`);
      sent += (size - sent) >> 1;
    }
    assert.equal(bodies(hub, WEIGHTS).length, 5);
  }, storageAlone));

test("a file that changed on the server takes the old one's place", () =>
  withHub(async ({ page, hub, folder }) => {
    await page.chooseWebModel({ address: "somebody/tiny", hubUrl: hub.url });
    await page.loadModel();
    const before = await onDisk(page);
    const other = changed((all) => all.get("embeddings.word_embeddings.weight")?.bytes.fill(0, 0, 400));
    writeFileSync(join(folder, WEIGHTS), other);
    utimesSync(join(folder, WEIGHTS), new Date(), new Date(Date.now() + 5000));
    hub.requests.length = 0;
    await visitAgain(page);
    await loadKept(page);
    await page.waitForModel();
    assert.equal(bodies(hub, "").length, 1);
    assert.equal(bodies(hub, WEIGHTS).length, 1);
    const sizes = (/** @type {[string, number][]} */ files) =>
      files.filter(([name]) => name.startsWith("file-")).map(([, bytes]) => bytes);
    const after = await onDisk(page);
    assert.deepEqual(sizes(after).sort(), sizes(before).sort());
    assert.equal(after.filter(([name]) => before.some(([old]) => old === name)).length, 2, "the other files stayed");
  }));

test("a removed model leaves nothing, and the keyboard stays in the step", () =>
  withHub(async ({ page, hub }) => {
    await page.chooseWebModel({ address: "somebody/tiny", hubUrl: hub.url });
    await page.loadModel();
    assert.ok((await onDisk(page)).length > 3);
    await page.at("kept-remove").focus();
    await page.raw.keyboard.press("Enter");
    await page.at("confirm-no").click();
    await page.at("confirm").waitFor({ state: "detached" });
    assert.equal(await page.at("kept-model").count(), 1);
    await page.at("kept-remove").focus();
    await page.raw.keyboard.press("Enter");
    // A dialog that is being opened takes the focus.
    await page.at("confirm").waitFor();
    await page.at("confirm-yes").focus();
    await page.raw.keyboard.press("Enter");
    await page.at("kept-model").waitFor({ state: "detached" });
    assert.deepEqual(await onDisk(page), []);
    assert.equal(await page.raw.evaluate(() => document.activeElement?.id), "model");
    await trainAStep(page);
  }));

test("a browser without room loads the model, and says that it is not kept", () =>
  withHub(async ({ page, hub }) => {
    const devtools = await page.raw.context().newCDPSession(page.raw);
    await devtools.send("Storage.overrideQuotaForOrigin", {
      origin: new URL(page.raw.url()).origin,
      quotaSize: 150_000,
    });
    await page.chooseWebModel({ address: "somebody/tiny", hubUrl: hub.url });
    await page.loadModel();
    await page.reads("model-notices", /This model is not kept on this computer: /);
    assert.equal(await page.at("kept-model").count(), 0);
    assert.deepEqual(await onDisk(page), []);
    await trainAStep(page);
  }));

test("two tabs load one model at once", () =>
  withHub(async ({ page, hub }) => {
    const other = new WebtunePage(await page.raw.context().newPage());
    await other.raw.goto(page.raw.url());
    const tabs = [page, other];
    for (const tab of tabs) {
      await tab.chooseDevice("cpu");
      await tab.chooseWebModel({ address: "somebody/tiny", hubUrl: hub.url });
    }
    await Promise.all(tabs.map((tab) => tab.loadModel()));
    assert.equal((await onDisk(page)).filter(([, bytes]) => bytes === size).length, 1);
    await hub.close();
    for (const tab of tabs) await visitAgain(tab);
    await Promise.all(tabs.map((tab) => loadKept(tab)));
    await Promise.all(tabs.map((tab) => tab.waitForModel()));
  }));
