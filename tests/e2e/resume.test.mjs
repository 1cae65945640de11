/**
 * A run that was cut off on the page goes on: after a reload at a press, after a crash of the engine by itself. A run that has ended, or
 * was discarded, leaves nothing behind.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { unzipSync } from "fflate";
import { keyboardOf } from "./support/keyboard.mjs";
import { LanguagePage } from "./support/language-page.mjs";
import { csv } from "./support/rows.mjs";
import { openSite } from "./support/site.mjs";
import { tinyLanguageModel } from "./support/tiny-language.mjs";
import { tinyModel } from "./support/tiny-model.mjs";
import { damage, forgetAll, kept, startOnGpu, waitUntilKept, writeStatesOften } from "./support/unfinished.mjs";

/** @typedef {import("./support/webtune-page.mjs").WebtunePage} WebtunePage */

const WEIGHTS = "adapter_model.safetensors";

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

const twoStates = (/** @type {string[]} */ names) => names.includes("state 0") && names.includes("state 1");
const nothing = (/** @type {string[]} */ names) => names.length === 0;

/** @param {WebtunePage} page @param {Record<string, string>} [options] */
async function startSorting(page, options = {}) {
  await writeStatesOften(page.raw);
  await page.chooseDevice("cpu");
  await page.chooseModelFiles(tinyModel());
  await page.loadModel();
  await page.paste(csv(40));
  await page.setOptions({ "method.type": "lora", earlyStoppingPatience: "0", numTrainEpochs: "60", ...options });
  await page.start();
}

/** @param {LanguagePage} page */
async function startWriting(page) {
  await writeStatesOften(page.raw);
  await page.chooseDevice("cpu");
  await page.chooseTiny();
  await page.loadModel();
  await page.useBuiltInTexts();
  await page.setOptions({ numTrainEpochs: "30", earlyStoppingPatience: "0", maxLength: "64", fewShotExamples: "0" });
  await page.setOptions({ samplePrompts: "Do you have rye?\nWhen do you open?", sampleTokens: "4" });
  await page.start();
}

/** The folder of a tiny model is asked for again. @param {WebtunePage} page @param {{ name: string, mimeType: string, buffer: Buffer }[]} files */
async function continueWith(page, files) {
  await page.at("continue-run").click();
  await page.at("continue-files").setInputFiles(files);
}

/** @param {WebtunePage} page @param {string} button */
async function weights(page, button) {
  const { bytes } = await page.export(() => page.at(button).click());
  const found = unzipSync(bytes)[WEIGHTS];
  assert.ok(found, `${WEIGHTS} is in the zip`);
  return Buffer.from(found);
}

/** @param {WebtunePage} page */
async function recordOf(page) {
  await page.openRun("lora · pasted text");
  const { curve, evaluations, tuned, data, options } = JSON.parse((await page.exportRun({ texts: false })).text);
  return { curve, evaluations, tuned, data, options };
}

/** @param {WebtunePage} page */
const offer = (page) => page.reads("unfinished-text", /was cut off/);

test("a classifier's run goes on after a reload and ends as if nothing had happened", async () => {
  const whole = await site.open();
  await startSorting(whole.page);
  await whole.page.finished();
  await waitUntilKept(whole.page.raw, nothing);

  const { page, close } = await site.open();
  await startSorting(page);
  await page.reads("keeping", /kept in this browser.*removed when it ends/s);
  await page.progress(/step \d\d/);
  await waitUntilKept(page.raw, twoStates);
  await page.raw.reload();
  assert.match(await offer(page), /A run of \S+ on 80 examples was cut off\. It was at step \d+ of \d+ on \d+ \w+ \d+/);
  await continueWith(page, tinyModel());
  assert.equal((await page.finished()).reason, "completed");
  assert.equal(await page.at("unfinished").isVisible(), false);
  assert.equal(await page.at("recovery").isVisible(), false);
  // What the desk needs for another run is back as well.
  await page.reads("examples-count", /80 examples/);
  assert.equal(await page.optionValue("numTrainEpochs"), "60");
  await page.reads("chosen-files", /3 files/);

  assert.deepEqual(await recordOf(page), await recordOf(whole.page));
  assert.ok((await weights(page, "export")).equals(await weights(whole.page, "export")), "the adapters are equal");
  await waitUntilKept(page.raw, nothing);
  await close();
  await whole.close();
});

test("a language model's run goes on after a reload, with its prompts, and ends as if nothing had happened", async () => {
  const open = async () => {
    const { page, close } = await site.open();
    const desk = new LanguagePage(page.raw);
    await desk.choose();
    return { page: desk, close };
  };
  const files = Object.entries(tinyLanguageModel()).map(([name, buffer]) => ({
    name,
    mimeType: "application/octet-stream",
    buffer,
  }));
  const whole = await open();
  await startWriting(whole.page);
  await whole.page.finished();

  const { page, close } = await open();
  await startWriting(page);
  await page.progress(/step \d/);
  await waitUntilKept(page.raw, twoStates);
  await page.raw.reload();
  assert.match(await offer(page), /on \d+ texts was cut off/);
  // Not a run of the other desk.
  await page.at("task-classify").check({ force: true });
  assert.equal(await page.at("unfinished").isVisible(), false);
  await page.choose();
  await continueWith(page, files);
  assert.equal((await page.finished()).reason, "completed");
  const table = (/** @type {WebtunePage} */ one) => one.at("likelihoods").locator("tbody tr").allInnerTexts();
  assert.deepEqual(await table(page), await table(whole.page));
  assert.equal(await page.optionValue("samplePrompts"), "Do you have rye?\nWhen do you open?");
  const [resumed, uninterrupted] = [await weights(page, "export-peft"), await weights(whole.page, "export-peft")];
  assert.ok(resumed.equals(uninterrupted), "the adapters are equal");
  await waitUntilKept(page.raw, nothing);
  await close();
  await whole.close();
});

test("a run whose engine dies goes on by itself, says so, and keeps a pause", async () => {
  const whole = await site.open();
  await startSorting(whole.page);
  await whole.page.finished();

  const { page, close } = await site.open();
  await startSorting(page);
  await page.progress(/step \d\d/);
  await waitUntilKept(page.raw, twoStates);
  await page.crashWorkers();
  await page.reads("recovery", /^The engine stopped \(.*a crash on purpose\)\. The run continued at step \d+\.$/);
  await page.progress(/step \d\d/);
  await page.at("pause").click();
  await page.progress(/^Paused/);
  await page.crashWorkers();
  await page.reads("recovery", /continued at step/);
  await page.progress(/^Paused.*step \d/);
  await page.at("resume").click();
  assert.equal((await page.finished()).reason, "completed");
  await page.reads("recovery", /continued at step/);
  assert.ok((await weights(page, "export")).equals(await weights(whole.page, "export")), "the adapters are equal");
  await close();
  await whole.close();
});

test("a run that loses its engine three times is given up, and leaves nothing", async () => {
  const { page, close } = await site.open();
  await startSorting(page, { numTrainEpochs: "1000" });
  for (let losses = 1; losses < 3; losses += 1) {
    await page.progress(/^Epoch.*step \d/);
    await page.crashWorkers();
    await page.raw.waitForFunction(
      () => !document.querySelector('[data-testid="train-progress-text"]')?.textContent?.includes("Epoch"),
    );
    await page.reads("recovery", /continued at step|began anew/);
  }
  await page.progress(/^Epoch.*step \d/);
  await page.crashWorkers();
  await page.trainError(/a crash on purpose.*was given up/s);
  await page.waitForModel();
  assert.ok(await page.at("start").isEnabled());
  await waitUntilKept(page.raw, nothing);
  await close();
});

test("a damaged state is passed over for the one before; if both are, the run can only be discarded", async () => {
  const { page, close } = await site.open();
  const { keyboard, focused, goTo } = keyboardOf(page.raw);
  await startSorting(page, { numTrainEpochs: "1000" });
  await page.progress(/step \d/);
  await waitUntilKept(page.raw, twoStates);
  await page.raw.reload();
  await offer(page);
  await damage(page.raw, 1);
  await continueWith(page, tinyModel());
  await page.progress(/step \d/);
  assert.equal(await page.at("unfinished").isVisible(), false);
  const { testId } = await focused();
  assert.equal(testId, "pause", "the answered question went, and the keyboard's place moved to the run's buttons");

  await waitUntilKept(page.raw, twoStates);
  await page.raw.reload();
  await offer(page);
  await damage(page.raw, 2);
  const alerts = await page.raw.getByRole("alert").allInnerTexts();
  assert.ok(alerts.some((text) => text.includes("was cut off")));
  // From here by keyboard alone.
  await goTo("continue-run");
  await keyboard.press("Enter");
  await page.at("continue-folder").waitFor({ state: "attached" });
  assert.equal((await focused()).testId, "continue-folder");
  await page.at("continue-files").setInputFiles(tinyModel());
  await page.reads("unfinished-error", /checkpoint/);
  assert.ok(await page.at("continue-run").isEnabled());
  await goTo("discard-run");
  await keyboard.press("Enter");
  await page.at("confirm").waitFor();
  await goTo("confirm-yes");
  await keyboard.press("Enter");
  await waitUntilKept(page.raw, nothing);
  await page.at("unfinished").waitFor({ state: "hidden" });
  await page.raw.waitForFunction(() => document.activeElement?.id === "model", undefined, { timeout: 5000 });
  await close();
});

test("a run whose model cannot be loaded again is offered, and loses nothing", async () => {
  const { page, close } = await site.open();
  await startSorting(page, { numTrainEpochs: "1000" });
  await page.progress(/step \d/);
  await waitUntilKept(page.raw, twoStates);
  await page.raw.evaluate(() => {
    // Workers start in a document of their own.
    const room = document.querySelector("iframe")?.contentWindow;
    if (!room) throw new Error("expected a frame, found none");
    const Worker = Reflect.get(room, "Worker");
    Reflect.set(room, "Worker", function refuse() {
      Reflect.set(room, "Worker", Worker);
      throw new Error("no worker here");
    });
  });
  await page.crashWorkers();
  await page.trainError(/a crash on purpose.*could not be loaded again: .*no worker here/s);
  await offer(page);
  await continueWith(page, tinyModel());
  await page.at("pause").waitFor();
  await page.raw.waitForFunction(() =>
    document.querySelector('[data-testid="train-progress-text"]')?.textContent?.match(/step \d/),
  );
  assert.equal(await page.at("train-error").isVisible(), false);
  await page.at("stop").click();
  assert.equal((await page.finished()).reason, "stopped");
  await waitUntilKept(page.raw, nothing);
  await close();
});

test("a model from the web is loaded again without a question", async () => {
  const { page, close } = await site.open();
  await writeStatesOften(page.raw);
  await page.chooseDevice("cpu");
  await page.loadDefaultModel();
  await page.paste(csv(6));
  await page.setOptions({ "method.type": "lora", earlyStoppingPatience: "0", numTrainEpochs: "500" });
  await page.start();
  await page.progress(/step \d/);
  await waitUntilKept(page.raw, twoStates);
  await page.raw.reload();
  assert.match(await offer(page), /all-MiniLM-L6-v2 on 12 examples/);
  await page.at("continue-run").click();
  await page.progress(/step \d/);
  assert.equal(await page.at("model-name").innerText(), "sentence-transformers/all-MiniLM-L6-v2");
  await page.at("stop").click();
  assert.equal((await page.finished()).reason, "stopped");
  await waitUntilKept(page.raw, nothing);
  await close();
});

test("another tab is offered a run only once its own tab is gone", async () => {
  const { page, close } = await site.open();
  await startSorting(page, { numTrainEpochs: "1000" });
  await page.progress(/step \d/);
  await waitUntilKept(page.raw, twoStates);
  const other = await page.raw.context().newPage();
  await other.goto(page.raw.url());
  await other.getByTestId("load-model").waitFor();
  await other.waitForTimeout(1000);
  assert.equal(await other.getByTestId("unfinished").isVisible(), false);
  await page.raw.close();
  await other
    .getByTestId("unfinished-text")
    .filter({ hasText: /was cut off/ })
    .waitFor();
  await other.close();
  await close();
});

test("what was removed from the browser's storage during a run is kept again, rows and all", async () => {
  const { page, close } = await site.open();
  await startSorting(page, { numTrainEpochs: "1000" });
  await page.progress(/step \d/);
  await waitUntilKept(page.raw, twoStates);
  await forgetAll(page.raw);
  await waitUntilKept(page.raw, twoStates);
  await page.raw.reload();
  await offer(page);
  await continueWith(page, tinyModel());
  await page.progress(/step \d/);
  await page.reads("examples-count", /80 examples/);
  await page.at("stop").click();
  assert.equal((await page.finished()).reason, "stopped");
  await close();
});

test("a browser that keeps nothing: said once, and the run ends as ever", async () => {
  const { page, close } = await site.open();
  await page.raw.addInitScript(() => {
    // As in a private window of some browsers.
    indexedDB.open = () => {
      throw new DOMException("no storage here", "SecurityError");
    };
  });
  await page.raw.reload();
  await startSorting(page, { numTrainEpochs: "20" });
  const said = await page.reads("storage-trouble", /does not keep the run's state \(no storage here\)/);
  assert.equal(said.match(/no storage here/g)?.length, 1);
  assert.equal((await page.finished()).reason, "completed");
  assert.ok((await page.export()).bytes.length > 0);
  await close();
});

test("a full storage: said once, and after a crash the run goes on from memory", async () => {
  const { page, close } = await site.open();
  await page.raw.addInitScript(() => {
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function (value, key) {
      if (String(Reflect.get(Object(key), 1)).startsWith("state")) throw new DOMException("", "QuotaExceededError");
      return put.call(this, value, key);
    };
  });
  await page.raw.reload();
  await startSorting(page);
  await page.reads("storage-trouble", /does not keep the run's state \(the storage is full\)/);
  await page.progress(/step \d\d/);
  await page.crashWorkers();
  await page.reads("recovery", /continued at step/);
  assert.equal((await page.finished()).reason, "completed");
  await waitUntilKept(page.raw, nothing);
  await close();
});

test("a run on the graphics card goes on there after one loss, and on the CPU engine after the second", async () => {
  const { page, close } = await site.open();
  await startOnGpu(page, 1000);
  await page.progress(/step \d/);
  await waitUntilKept(page.raw, twoStates);
  await page.crashWorkers();
  await page.reads("recovery", /continued at step \d+\.$/);
  await page.progress(/step \d/);
  await page.reads("device-pill", /WebGPU/);
  await page.crashWorkers();
  await page.reads("recovery", /continued at step \d+ on the CPU engine\.$/);
  await page.reads("device-pill", /CPU/);
  assert.equal((await page.finished()).reason, "completed");
  await close();
});

test("the screen is kept on while a run goes on, again after a change of tabs, and no longer", async () => {
  const { page, close } = await site.open();
  await page.raw.addInitScript(() => {
    const held = { asked: 0, on: 0 };
    Reflect.set(window, "held", held);
    const request = async () => {
      held.asked += 1;
      held.on += 1;
      let isOn = true;
      const release = async () => {
        held.on -= isOn ? 1 : 0;
        isOn = false;
      };
      return { release };
    };
    Object.defineProperty(navigator, "wakeLock", { value: { request } });
  });
  await page.raw.reload();
  const held = () => page.raw.evaluate(() => Reflect.get(window, "held"));
  await startSorting(page, { numTrainEpochs: "1000" });
  await page.progress(/step \d/);
  assert.deepEqual(await held(), { asked: 1, on: 1 });
  await page.raw.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  assert.deepEqual(await held(), { asked: 2, on: 1 });
  await page.at("stop").click();
  await page.finished();
  assert.deepEqual(await held(), { asked: 2, on: 0 });
  await close();
});

test("a run that a person stops leaves nothing", async () => {
  const { page, close } = await site.open();
  await startSorting(page, { numTrainEpochs: "1000" });
  await page.progress(/step \d/);
  await waitUntilKept(page.raw, twoStates);
  assert.ok((await kept(page.raw)).includes("rows"));
  await page.at("stop").click();
  assert.equal((await page.finished()).reason, "stopped");
  await waitUntilKept(page.raw, nothing);
  await page.raw.reload();
  await page.at("load-model").waitFor();
  assert.equal(await page.at("unfinished").isVisible(), false);
  await close();
});
