/**
 * The built page with language models as GGUF files: the default one from the page's own server, one that is chosen, and one at an address;
 * and the name that exports give their base model.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { strFromU8, unzipSync } from "fflate";
import { folderOf, isIntact, SMOLLM2 } from "../../scripts/model.mjs";
import { startHubStub } from "../hub-stub.mjs";
import { LanguagePage } from "./support/language-page.mjs";
import { openSite } from "./support/site.mjs";
import { tinyGguf } from "./support/tiny-gguf.mjs";
import { tinyLanguageModel } from "./support/tiny-language.mjs";

/** @type {string} */
let folder;
/** The tiny model in place of the default one. @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "webtune-gguf-"));
  for (const name of Object.keys(SMOLLM2.files)) writeFileSync(join(folder, name), tinyGguf());
  site = await openSite({ mounts: { [`models/${SMOLLM2.name}/`]: folder } });
});
after(async () => {
  await site?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** @param {Awaited<ReturnType<typeof openSite>>} at */
async function openDesk(at = site) {
  const { page, close } = await at.open();
  const desk = new LanguagePage(page.raw);
  await desk.choose();
  await desk.chooseDevice("cpu");
  return { page: desk, close };
}

/** A short run on the built-in conversations. @param {LanguagePage} page */
async function tune(page) {
  await page.useBuiltInTexts();
  await page.setOptions({ numTrainEpochs: "1", sampleTokens: "0", fewShotExamples: "0", maxLength: "96" });
  await page.start();
  await page.finished();
}

/** @param {LanguagePage} page */
async function exported(page) {
  const { bytes } = await page.export(() => page.at("export-peft").click());
  const files = unzipSync(bytes);
  const read = (/** @type {string} */ name) => strFromU8(files[name] ?? new Uint8Array());
  return { base: JSON.parse(read("adapter_config.json")).base_model_name_or_path, card: read("README.md") };
}

test("the default model comes from the page's own server, and is exported under its repository's name", async () => {
  const { page, close } = await openDesk();
  await page.raw.getByText(/About 98 MB \(4-bit weights\) from this page's server/).waitFor();
  await page.at("budget-ask").click();
  await page.reads("budget-verdict", /HuggingFaceTB\/SmolLM2-135M-Instruct takes up to .*It fits/s);
  await page.loadDefaultModel();
  await tune(page);
  assert.equal(await page.at("base-name").isVisible(), false, "nothing is asked");
  const { base, card } = await exported(page);
  assert.equal(base, SMOLLM2.repository);
  assert.doesNotMatch(card, /Before use/);
  // No other server was asked for anything.
  await close();
});

test("while the page's server is fetching the default model, the page says so", async () => {
  const { page, close } = await site.open();
  /** @type {() => void} */
  let arrive = () => undefined;
  const fetched = new Promise((resolve) => {
    arrive = () => resolve(undefined);
  });
  await page.raw.route("**/*.gguf", async (route) => {
    await fetched;
    await route.continue();
  });
  await new LanguagePage(page.raw).choose();
  await page.raw.getByText(/This page's server is fetching it \(98 MB\)/).waitFor();
  arrive();
  await page.raw.getByText(/About 98 MB \(4-bit weights\) from this page's server/).waitFor();
  await close();
});

test("a chosen GGUF file is tuned, and its base is named as the person says", async () => {
  const { page, close } = await openDesk();
  await page.chooseModelFiles([{ name: "Tiny.gguf", mimeType: "", buffer: tinyGguf() }]);
  await page.reads("budget-verdict", /A run with the chosen files takes up to .*It fits/s);
  await page.loadModel();
  await tune(page);
  const unnamed = await exported(page);
  assert.equal(unnamed.base, "Tiny");
  assert.match(unnamed.card, /Before use[\s\S]*adapter_config\.json/);
  await page.at("base-name").fill("somebody/tiny");
  const named = await exported(page);
  assert.equal(named.base, "somebody/tiny");
  assert.doesNotMatch(named.card, /Before use/);
  await close();
});

test("a GGUF file is found at an address, and in a repository by its name", async () => {
  const hub = await startHubStub({ repositories: { "somebody/tiny-gguf": folder } });
  const { page, close } = await openDesk();
  try {
    const [name] = Object.keys(SMOLLM2.files);
    await page.chooseWebModel({ address: `${hub.storageUrl}/somebody/tiny-gguf/${name}?download=true` });
    await page.loadModel();
    await page.chooseWebModel({ address: `somebody/tiny-gguf/${name}`, hubUrl: hub.url });
    await page.loadModel();
    await page
      .at("kept-facts")
      .filter({ hasText: `${name}` })
      .waitFor();
    await close({ hosts: [hub.url, hub.storageUrl] });
  } finally {
    await hub.close();
  }
});

test("what cannot be one model is refused in words", async () => {
  const { page, close } = await openDesk();
  const file = (/** @type {string} */ name) => ({ name, mimeType: "", buffer: Buffer.from("GGUF") });
  await page.chooseModelFiles([file("a.gguf"), file("b.gguf")]);
  await page.pressLoad();
  await page.modelError(/expected one GGUF file, but the folder has several: a\.gguf, b\.gguf; choose one of them/);
  await page.chooseModelFiles([file("m-00001-of-00002.gguf")]);
  await page.pressLoad();
  await page.modelError(/m-00001-of-00002\.gguf: it is one part of a model/);
  await close();
});

test("a repository that config.json names is suggested, and taken at a press", async () => {
  const { page, close } = await openDesk();
  const files = tinyLanguageModel();
  const config = { ...JSON.parse(`${files["config.json"]}`), _name_or_path: "somebody/tiny" };
  await page.chooseTiny({ ...files, "config.json": Buffer.from(JSON.stringify(config)) });
  await page.loadModel();
  await tune(page);
  await page.at("base-suggestion").focus();
  await page.raw.keyboard.press("Enter");
  assert.equal(await page.at("base-name").inputValue(), "somebody/tiny");
  assert.equal(await page.raw.evaluate(() => document.activeElement?.id), "base-name", "the keyboard stays there");
  assert.equal((await exported(page)).base, "somebody/tiny");
  await close();
});

test("where the server has no copy, the default is the repository on the hub", async () => {
  const bare = await openSite();
  try {
    const { page, close } = await openDesk(bare);
    await page.raw.getByText(/About 270 MB from Hugging Face/).waitFor();
    await close();
  } finally {
    await bare.close();
  }
});

const isFetched = isIntact(SMOLLM2) || `not fetched; node scripts/model.mjs ${SMOLLM2.name} does it`;

test("the real default model answers, learns and is exported, where it has been fetched", {
  skip: isFetched === true ? false : isFetched,
}, async () => {
  const real = await openSite({ mounts: { [`models/${SMOLLM2.name}/`]: folderOf(SMOLLM2) } });
  try {
    const { page, close } = await openDesk(real);
    await page.loadDefaultModel();
    await page.reads("model-ready", /llama.*its own chat template/s);
    const chat = (/** @type {string} */ content) =>
      JSON.stringify({
        messages: [
          { role: "user", content },
          { role: "assistant", content: "We open at seven." },
        ],
      });
    await page.pasteTexts(["When do you open?", "Are you open?", "Opening hours?", "When?"].map(chat).join("\n"));
    const untuned = await page.write("What is the capital of France?");
    assert.match(`${untuned.base}`, /Paris/);
    const short = { numTrainEpochs: "4", learningRate: "0.001", maxLength: "64" };
    await page.setOptions({ ...short, sampleTokens: "0", fewShotExamples: "0" });
    await page.start();
    await page.finished();
    const rows = await page.at("likelihoods").locator("tbody tr").allInnerTexts();
    const perplexity = (/** @type {number} */ index) => Number(`${rows.at(index)}`.split("\t")[1]);
    assert.ok(perplexity(0) < 1000 && perplexity(-1) < perplexity(0), rows.join("\n"));
    assert.equal((await exported(page)).base, SMOLLM2.repository);
    await close();
  } finally {
    await real.close();
  }
});
