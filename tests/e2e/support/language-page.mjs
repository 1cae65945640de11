/**
 * Does in the page's part for language models what a person would, and returns what the page shows.
 */
import assert from "node:assert/strict";
import { tinyLanguageModel } from "./tiny-language.mjs";
import { WebtunePage } from "./webtune-page.mjs";

const WRITE_MS = 60_000;

export class LanguagePage extends WebtunePage {
  /** From the other desk to this one. */
  async choose() {
    await this.at("task-write").check({ force: true });
    await this.at("texts-drop").waitFor();
  }

  /** A tiny random Llama as files. @param {Record<string, Buffer>} [files] */
  async chooseTiny(files = tinyLanguageModel()) {
    await this.chooseModelFiles(
      Object.entries(files).map(([name, buffer]) => ({ name, mimeType: "application/octet-stream", buffer })),
    );
  }

  /** @param {"f32" | "f16" | "int8" | "int4"} storage */
  async chooseStorage(storage) {
    await this.at(`storage-${storage}`).check({ force: true });
  }

  async useBuiltInTexts() {
    await this.at("built-in-texts").click();
    return this.reads("texts-count", /\d/);
  }

  /** @param {string} text @param {RegExp} [expected] what the note must say */
  async pasteTexts(text, expected = /^Read /) {
    if (!(await this.at("paste").isVisible())) await this.raw.getByText("Paste text", { exact: true }).click();
    await this.at("paste").fill(text);
    await this.at("paste-read").click();
    return this.reads("texts-note", expected);
  }

  /** Opens a row; gives what the model reads of it and which part is learnt. @param {number} index */
  async openText(index) {
    await this.at("text-row").nth(index).click();
    const rendered = this.at("text-rendered");
    await rendered.waitFor();
    return { text: await rendered.innerText(), learnt: await rendered.locator("mark").allInnerTexts() };
  }

  /** Lets both write; gives their texts. @param {string} prompt */
  async write(prompt) {
    await this.at("try-prompt").fill(prompt);
    await this.at("write").click();
    await this.raw.waitForFunction(
      () => document.querySelector('[data-testid="try-base"]')?.getAttribute("data-status") === "done",
      undefined,
      { timeout: WRITE_MS },
    );
    const text = async (/** @type {string} */ testId) =>
      (await this.at(testId).count()) > 0 ? this.at(`${testId}-text`).innerText() : undefined;
    return { base: await text("try-base"), tuned: await text("try-tuned") };
  }

  async noExportError() {
    const error = await this.at("export-error").innerText();
    assert.equal(error, "", `the export failed: ${error}`);
  }
}
