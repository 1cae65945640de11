/**
 * Enters: a keyboard and nothing else. Leaves: proof that all steps can be walked with it.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { unzipSync } from "fflate";
import { openSite } from "./support/site.mjs";

const MOST_TABS = 200;

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

test("the whole page without a pointer", async () => {
  const { page, close } = await site.open();
  const { keyboard } = page.raw;
  const focused = () =>
    page.raw.evaluate(() => {
      const element = document.activeElement;
      const box = element?.getBoundingClientRect();
      return {
        testId: element?.getAttribute("data-testid") ?? "",
        text: element?.textContent?.trim() ?? "",
        isSeen: box !== undefined && box.width > 0 && box.height > 0,
      };
    });
  /** Tab until the focus is on that part. */
  const goTo = async (/** @type {string} */ wanted) => {
    for (let tabs = 0; tabs < MOST_TABS; tabs += 1) {
      const { testId, text, isSeen } = await focused();
      if (testId === wanted || text === wanted) {
        assert.ok(isSeen, `${wanted} is focused but has no size`);
        return;
      }
      await keyboard.press("Tab");
    }
    assert.fail(`${wanted} was not reached with ${MOST_TABS} tabs`);
  };

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
