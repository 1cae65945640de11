/**
 * Does on the page what a person would, and returns what the page shows. The only file that knows how the page names its parts.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const LOAD_MS = 120_000;
const RUN_MS = 900_000;
const STEP_MS = 30_000;

export class WebtunePage {
  /** @param {import("playwright-core").Page} raw */
  constructor(raw) {
    this.raw = raw;
  }

  /** @param {string} testId */
  at(testId) {
    return this.raw.getByTestId(testId);
  }

  /** Waits for words in a place; gives all of its text. @param {string} testId @param {RegExp} pattern @param {number} [timeout] */
  async reads(testId, pattern, timeout = STEP_MS) {
    const place = this.at(testId).filter({ hasText: pattern });
    try {
      await place.waitFor({ timeout });
    } catch {
      const alerts = await this.raw.getByRole("alert").allInnerTexts();
      const found = await this.at(testId).allInnerTexts();
      assert.fail(
        `${testId}: expected ${pattern}, found ${JSON.stringify(found)}; alerts ${JSON.stringify(alerts.filter(Boolean))}`,
      );
    }
    return (await place.innerText()).trim();
  }

  /** The model step. @param {"auto" | "webgpu" | "cpu"} device */
  async chooseDevice(device) {
    await this.at(`device-${device}`).check({ force: true });
  }

  async loadDefaultModel() {
    await this.at("source-default").check({ force: true });
    await this.loadModel();
  }

  /** @param {{ name: string, mimeType: string, buffer: Buffer }[]} files */
  async chooseModelFiles(files) {
    await this.at("source-files").check({ force: true });
    await this.at("model-files").setInputFiles(files);
    await this.at("chosen-files").waitFor();
  }

  /** @param {{ address: string, hubUrl?: string, accessToken?: string }} where */
  async chooseWebModel({ address, hubUrl, accessToken }) {
    await this.at("source-web").check({ force: true });
    await this.at("model-address").fill(address);
    if (hubUrl || accessToken) {
      const hub = this.at("model-hubUrl");
      if (!(await hub.isVisible())) await this.raw.locator("summary", { hasText: /^Advanced$/ }).click();
      await hub.fill(hubUrl ?? "");
      await this.at("model-accessToken").fill(accessToken ?? "");
    }
  }

  async pressLoad() {
    await this.at("load-model").click();
  }

  async loadModel() {
    await this.pressLoad();
    await this.waitForModel();
  }

  async waitForModel() {
    const ready = this.at("model-ready")
      .waitFor({ timeout: LOAD_MS })
      .then(() => undefined);
    const failed = this.at("model-error").filter({ hasText: /./ }).waitFor({ timeout: LOAD_MS });
    const outcome = await Promise.race([ready, failed.then(() => this.at("model-error").innerText())]);
    assert.equal(outcome, undefined, `the model did not load: ${outcome}`);
    // An earlier model's card may still be shown while the next one loads.
    await this.raw.waitForFunction(() => !document.querySelector('[data-testid="cancel-load"]'), undefined, {
      timeout: LOAD_MS,
    });
  }

  /** @param {RegExp} pattern */
  modelError(pattern) {
    return this.reads("model-error", pattern, LOAD_MS);
  }

  deviceReason() {
    return this.at("device-reason").innerText();
  }

  /** The examples step. */
  async useBuiltInExamples() {
    await this.at("built-in-examples").click();
    return this.reads("examples-count", /\d/);
  }

  /** @param {string} text @param {RegExp} [expected] what the note must say */
  async paste(text, expected = /^Read /) {
    if (!(await this.at("paste").isVisible())) await this.raw.getByText("Paste text", { exact: true }).click();
    await this.at("paste").fill(text);
    await this.at("paste-read").click();
    return this.reads("examples-note", expected);
  }

  /** @param {string} name @param {string | Buffer} content */
  async chooseExamples(name, content) {
    await this.at("examples-file").setInputFiles({ name, mimeType: "text/csv", buffer: Buffer.from(content) });
  }

  /** @param {RegExp} pattern */
  examplesError(pattern) {
    return this.reads("examples-error", pattern);
  }

  /** @param {RegExp} pattern */
  examplesNote(pattern) {
    return this.reads("examples-note", pattern);
  }

  /** The train step. @param {Record<string, string>} values by the paths of `TrainOptions`, parents before what they hold */
  async setOptions(values) {
    const drawer = this.at("options");
    if (!(await drawer.evaluate((element) => /** @type {HTMLDetailsElement} */ (element).open))) {
      await drawer.locator("summary").click();
    }
    for (const [path, value] of Object.entries(values)) {
      const field = this.at(`option-${path}`);
      if (await field.evaluate((element) => element instanceof HTMLSelectElement)) await field.selectOption(value);
      else await field.fill(value);
    }
  }

  /** What a field of the drawer holds. @param {string} path */
  optionValue(path) {
    return this.at(`option-${path}`).inputValue();
  }

  start() {
    return this.#begin("start");
  }

  /** Begins the run again as the error's own button has it. */
  startAsAdvised() {
    return this.#begin("train-error-remedy");
  }

  /** The error of the run before has left the page by the end of this: whoever waits for the new run's would read that. @param {string} button */
  async #begin(button) {
    const error = this.at("train-error");
    const before = (await error.count()) > 0 ? await error.innerText() : "";
    await this.at(button).click();
    if (before === "") return;
    const changed = (/** @type {string} */ old) =>
      /** @type {HTMLElement | null} */ (document.querySelector('[data-testid="train-error"]'))?.innerText !== old;
    // What was wrong may still be wrong, and then the words stay as they are.
    await this.raw.waitForFunction(changed, before, { timeout: 5_000 }).catch((failure) => {
      if (failure.name !== "TimeoutError") throw failure;
    });
  }

  /** A short second run to its end; what the first one found was not exported, which the page asks about. */
  async trainAgain() {
    await this.start();
    await this.at("confirm-yes").click();
    await this.raw.waitForFunction(
      () => document.querySelector('[data-testid="train-finished"]')?.getAttribute("data-reason") === "completed",
      undefined,
      { timeout: 60_000 },
    );
  }

  /** Fails at once where the run does. @param {RegExp} pattern */
  async progress(pattern) {
    const words = this.at("train-progress-text").filter({ hasText: pattern });
    const seen = words.waitFor({ timeout: RUN_MS }).then(() => undefined);
    const failed = this.at("train-error").filter({ hasText: /./ }).waitFor({ timeout: RUN_MS });
    const error = await Promise.race([seen, failed.then(() => this.at("train-error").innerText())]);
    assert.equal(error, undefined, `the run failed: ${error}`);
  }

  /** @param {RegExp} pattern */
  trainError(pattern) {
    return this.reads("train-error", pattern, LOAD_MS);
  }

  /** Waits for the run's end; gives its reason and words. */
  async finished() {
    const place = this.at("train-finished");
    const ended = place.waitFor({ timeout: RUN_MS }).then(() => undefined);
    const failed = this.at("train-error").filter({ hasText: /./ }).waitFor({ timeout: RUN_MS });
    const error = await Promise.race([ended, failed.then(() => this.at("train-error").innerText())]);
    assert.equal(error, undefined, `the run failed: ${error}`);
    return { reason: await place.getAttribute("data-reason"), message: await place.innerText() };
  }

  /** The results step, in percent. */
  async accuracies() {
    const read = async (/** @type {string} */ testId) => Number.parseFloat(await this.at(testId).innerText());
    const probe = /(\d+(?:\.\d+)?)%/.exec(await this.at("baseline-probe").innerText())?.[1];
    return { probe: Number(probe), tuned: await read("accuracy-tuned") };
  }

  /** The use step; gives the labels before and after tuning. @param {string} text */
  async tryText(text) {
    await this.at("try-text").fill(text);
    await this.at("try-tuned").waitFor({ timeout: STEP_MS });
    await this.raw.waitForFunction(() => !document.querySelector('[aria-busy="true"]'), undefined, {
      timeout: STEP_MS,
    });
    const label = async (/** @type {string} */ testId) =>
      (await this.at(testId).count()) > 0 ? (await this.at(testId).innerText()).trim() : undefined;
    return { tuned: await label("try-tuned-label"), baseline: await label("try-baseline-label") };
  }

  /** Presses Export; gives the zip's name and bytes. @param {() => Promise<void>} [press] */
  async export(press = () => this.at("export").click()) {
    const [download] = await Promise.all([this.raw.waitForEvent("download"), press()]);
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
  }

  /** @param {string} name @param {Buffer} bytes */
  async importZip(name, bytes) {
    await this.at("import-zip").setInputFiles({ name, mimeType: "application/zip", buffer: bytes });
  }

  /** The compare step: names of the runs, the newest first. */
  runNames() {
    return this.at("run-name").allInnerTexts();
  }

  /** One run's part of the list. @param {string} name */
  run(name) {
    return this.at("run").filter({
      has: this.raw.locator('[data-testid="run-name"]', { hasText: RegExp(`^${name}$`) }),
    });
  }

  /** @param {string} name */
  async openRun(name) {
    const more = this.run(name).getByTestId("run-more");
    if ((await more.getAttribute("aria-expanded")) !== "true") await more.click();
  }

  /** The file of the opened run. @param {{ texts: boolean }} options */
  async exportRun({ texts }) {
    await this.at("run-texts").setChecked(texts);
    const { name, bytes } = await this.export(() => this.at("run-export").click());
    return { name, text: bytes.toString() };
  }

  /** Every engine of the page dies at once. */
  async crashWorkers() {
    const crash = () => {
      setTimeout(() => {
        throw new Error("a crash on purpose");
      });
    };
    const asked = this.raw.workers().map((worker) =>
      worker.evaluate(crash).catch((error) => {
        // Those that work for another end with it.
        if (!/has been closed/.test(String(error))) throw error;
      }),
    );
    await Promise.all(asked);
  }

  /** Whether the browser would ask before this page is left. */
  leavingIsHeld() {
    return this.raw.evaluate(() => !window.dispatchEvent(new Event("beforeunload", { cancelable: true })));
  }
}
