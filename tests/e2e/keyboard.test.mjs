/**
 * The page by keyboard alone: every step can be reached and done.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { unzipSync } from "fflate";
import { keyboardOf } from "./support/keyboard.mjs";
import { LanguagePage } from "./support/language-page.mjs";
import { openSite } from "./support/site.mjs";

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

test("the whole page without a pointer", async () => {
  const { page, close } = await site.open();
  const { keyboard, focused, goTo } = keyboardOf(page.raw);
  await goTo("device-auto");
  await keyboard.press("ArrowRight");
  await keyboard.press("ArrowRight");
  assert.equal((await focused()).testId, "device-cpu");
  await goTo("load-model");
  await keyboard.press("Enter");
  await page.waitForModel();

  await goTo("Paste text");
  await keyboard.press("Enter");
  await goTo("paste");
  const rows = [
    "refund,money back please",
    "refund,charged twice",
    "refund,return my payment",
    "refund,wrong amount",
    "parcel,where is my box",
    "parcel,late delivery",
    "parcel,lost in the post",
    "parcel,courier never came",
  ];
  await keyboard.type(`label,text\n${rows.join("\n")}\n`);
  await goTo("paste-read");
  await keyboard.press("Space");
  await page.examplesNote(/Read 8 examples/);

  await goTo("start");
  await keyboard.press("Enter");
  await page.finished();

  await goTo("try-text");
  await keyboard.type("my delivery is late");
  await page.at("try-tuned").waitFor();
  await goTo("export");
  const { bytes } = await page.export(() => keyboard.press("Enter"));
  assert.ok(Object.keys(unzipSync(bytes)).length > 0);

  await goTo("run-more");
  await keyboard.press("Enter");
  await goTo("run-rename");
  await keyboard.press("End");
  await keyboard.type(" by keyboard");
  await keyboard.press("Enter");
  await page.reads("run-name", / by keyboard$/);
  await goTo("run-export");
  const run = await page.export(() => keyboard.press("Space"));
  assert.match(run.name, /\.run\.json$/);
  await goTo("run-delete");
  await keyboard.press("Enter");
  await page.at("confirm").waitFor();
  await goTo("confirm-yes");
  await keyboard.press("Enter");
  await page.at("run").waitFor({ state: "detached" });
  await close();
});

test("a language model's desk without a pointer", async () => {
  const { page, close } = await site.open();
  const { keyboard, focused, goTo } = keyboardOf(page.raw);
  const desk = new LanguagePage(page.raw);
  await goTo("task-classify");
  await keyboard.press("ArrowRight");
  await desk.at("texts-drop").waitFor();
  assert.equal((await focused()).testId, "task-write", "the other desk keeps the keyboard's place");

  // A browser's own dialog for files is out of a page's reach.
  await desk.chooseTiny();
  await goTo("device-auto");
  await keyboard.press("ArrowRight");
  await keyboard.press("ArrowRight");
  await goTo("storage-f32");
  await keyboard.press("ArrowRight");
  await keyboard.press("ArrowRight");
  assert.equal((await focused()).testId, "storage-int8");
  await goTo("load-model");
  await keyboard.press("Enter");
  await desk.waitForModel();
  await desk.reads("model-ready", /8-bit/);

  await goTo("built-in-texts");
  await keyboard.press("Enter");
  await desk.reads("texts-count", /\d/);
  await goTo("text-row");
  await keyboard.press("Enter");
  await desk.at("text-rendered").waitFor();
  await goTo("remove-text");
  await keyboard.press("Enter");
  await desk.reads("texts-count", /^39 /);
  assert.equal((await focused()).testId, "text-row", "the next row has the keyboard's place");

  await goTo("start");
  await keyboard.press("Enter");
  await desk.progress(/step \d+ of/);
  await goTo("stop");
  await keyboard.press("Enter");
  await desk.finished();

  await goTo("try-prompt");
  await keyboard.type("When do you open?");
  await goTo("write");
  await keyboard.press("Enter");
  await desk.at("try-tuned").waitFor();
  await goTo("stop-writing");
  await keyboard.press("Enter");
  await desk.at("write").waitFor();
  assert.equal((await focused()).testId, "write", "the button that stopped starts again");
  await goTo("export-peft");
  const { bytes } = await desk.export(() => keyboard.press("Enter"));
  assert.ok(Object.keys(unzipSync(bytes)).length > 0);
  await close();
});
