/**
 * Texts with several labels: the page says how it read them, trains, and shows each label's yes or no.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openSite } from "./support/site.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

const MIXTURES = ["story", "label", "story|label", "story|query", "query"];

/** Each label in two of five rows or more. @param {number} count */
const rows = (count) =>
  `text,label\n${Array.from({ length: count }, (_, index) => `the quiet ${MIXTURES[index % 5]?.replace("|", " and ")} ${index},${MIXTURES[index % 5]}`).join("\n")}\n`;

test("rows with several labels are read, trained, scored and tried", async () => {
  const { page, close } = await site.open();
  await page.chooseDevice("cpu");
  await page.chooseModelFiles(tinyModel());
  await page.loadModel();
  await page.paste(rows(60));
  await page.reads("examples-warnings", /several labels for one text \(multi-label\), separated by "\|"/);
  const third = page.at("example-row").nth(2);
  assert.deepEqual(await third.getByTestId("label-chips").locator(".tag").allInnerTexts(), ["story", "label"]);
  assert.equal(await third.locator("input").inputValue(), "story | label");

  await page.setOptions({ earlyStoppingPatience: "0", numTrainEpochs: "2" });
  await page.start();
  await page.finished();
  await page.reads("verdict", /micro F1/);
  await page.at("micro-f1-tuned").waitFor();
  assert.equal(await page.at("confusion").count(), 0, "a confusion matrix has no meaning here");
  assert.equal(await page.at("class-table").getByRole("columnheader", { name: "Threshold" }).count(), 1);

  await page.tryText("the quiet story");
  assert.equal(await page.at("try-tuned-threshold").count(), 3);

  // One label a text, where that is what is wanted.
  await page.at("columns").locator("summary").click();
  await page.at("label-separator").fill("");
  await page.at("read-again").click();
  await page.examplesNote(/60 examples/);
  assert.equal(await page.at("label-chips").count(), 0);
  await close();
});
