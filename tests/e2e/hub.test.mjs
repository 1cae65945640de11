/**
 * The page and a server that behaves like the Hugging Face hub, well or badly: the model loads, or one clear message says why not.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startHubStub } from "../hub-stub.mjs";
import { openSite } from "./support/site.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
/** @type {string} */
let folder;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "webtune-hub-"));
  for (const name of ["tiny", "secret"]) write(name, tinyModel());
  write(
    "halved",
    tinyModel().filter((file) => file.name !== "tokenizer.json"),
  );
  site = await openSite();
});
after(async () => {
  await site?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** @param {string} name @param {ReturnType<typeof tinyModel>} files */
function write(name, files) {
  mkdirSync(join(folder, name));
  for (const file of files) writeFileSync(join(folder, name, file.name), file.buffer);
}

/**
 * A page with a hub of its own.
 * @param {object} options of the stub
 * @param {(page: import("./support/webtune-page.mjs").WebtunePage, hub: Awaited<ReturnType<typeof startHubStub>>) => Promise<string[]>} body
 * gives the servers that are asked
 */
async function withHub(options, body) {
  const repositories = Object.fromEntries(
    ["tiny", "secret", "halved"].map((name) => [`somebody/${name}`, join(folder, name)]),
  );
  const hub = await startHubStub({ repositories, privateRepositories: ["somebody/secret"], ...options });
  try {
    const { page, close } = await site.open();
    await page.chooseDevice("cpu");
    await close({ hosts: await body(page, hub) });
  } finally {
    await hub.close();
  }
}

test("a repository is read in ranges behind redirects", () =>
  withHub({}, async (page, hub) => {
    await page.chooseWebModel({ address: "somebody/tiny", hubUrl: hub.url });
    await page.loadModel();
    assert.equal(await page.at("model-name").innerText(), "somebody/tiny");
    const ranges = hub.requests.filter(({ path, range }) => path.endsWith("model.safetensors") && range);
    assert.ok(ranges.length > 0, "weights were asked for in ranges");
    return [hub.url, hub.storageUrl];
  }));

test("a folder on any web server works, with ranges or without", () =>
  withHub({ ranges: false }, async (page, hub) => {
    await page.chooseWebModel({ address: `${hub.storageUrl}/somebody/tiny` });
    await page.loadModel();
    assert.equal(await page.at("model-name").innerText(), "tiny");
    return [hub.storageUrl];
  }));

test("a private repository opens with its token, and only with it", () =>
  withHub({}, async (page, hub) => {
    await page.chooseWebModel({ address: "somebody/secret", hubUrl: hub.url });
    await page.pressLoad();
    await page.modelError(/somebody\/secret.*(token|401)/is);
    await page.chooseWebModel({ address: "somebody/secret", hubUrl: hub.url, accessToken: "hf_wrong" });
    await page.pressLoad();
    await page.modelError(/somebody\/secret.*(token|access|403)/is);
    await page.chooseWebModel({ address: "somebody/secret", hubUrl: hub.url, accessToken: hub.options.token });
    await page.loadModel();
    return [hub.url, hub.storageUrl];
  }));

test("a repository that is not there is named", () =>
  withHub({}, async (page, hub) => {
    await page.chooseWebModel({ address: "nobody/nothing", hubUrl: hub.url });
    await page.pressLoad();
    await page.modelError(/nobody\/nothing/);
    return [hub.url];
  }));

test("a file that is not there is named", () =>
  withHub({}, async (page, hub) => {
    await page.chooseWebModel({ address: "somebody/halved", hubUrl: hub.url });
    await page.pressLoad();
    await page.modelError(/tokenizer\.json is missing/);
    await page.chooseWebModel({ address: `${hub.storageUrl}/somebody/halved` });
    await page.pressLoad();
    await page.modelError(/tokenizer\.json.*404/);
    return [hub.url, hub.storageUrl];
  }));

test("a connection cut half way is taken up again", () =>
  withHub({ cutFirst: 1, cutPath: "model.safetensors" }, async (page, hub) => {
    await page.chooseWebModel({ address: "somebody/tiny", hubUrl: hub.url });
    await page.loadModel();
    assert.equal(hub.options.cutFirst, 0, "the connection was cut");
    return [hub.url, hub.storageUrl];
  }));

test("a connection that is always cut ends in a message that names the file, and the page goes on", () =>
  withHub({ cutFirst: 1000, cutPath: "model.safetensors" }, async (page, hub) => {
    await page.chooseWebModel({ address: "somebody/tiny", hubUrl: hub.url });
    await page.pressLoad();
    await page.modelError(/model\.safetensors/);
    hub.options.cutFirst = 0;
    await page.loadModel();
    return [hub.url, hub.storageUrl];
  }));

test("a hub that does not answer is named", () =>
  withHub({}, async (page, hub) => {
    const gone = await startHubStub({ repositories: {} });
    await gone.close();
    await page.chooseWebModel({ address: "somebody/tiny", hubUrl: gone.url });
    await page.pressLoad();
    await page.modelError(new RegExp(gone.url.replaceAll(".", "\\.")));
    await page.chooseWebModel({ address: "somebody/tiny", hubUrl: hub.url });
    await page.loadModel();
    return [gone.url, hub.url, hub.storageUrl];
  }));
