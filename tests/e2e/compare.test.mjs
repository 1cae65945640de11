/**
 * Two short runs of different methods on a tiny model: the page compares them side by side, and keeps them.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { csv } from "./support/rows.mjs";
import { openSite } from "./support/site.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

const LORA = "lora · pasted text";
const FULL = "full · pasted text";

/** Two runs on the same rows. */
async function openWithRuns() {
  const opened = await site.open();
  const { page } = opened;
  await page.chooseDevice("cpu");
  await page.chooseModelFiles(tinyModel());
  await page.loadModel();
  await page.paste(csv(20));
  await page.setOptions({
    "method.type": "lora",
    "method.r": "2",
    numTrainEpochs: "2",
    trainBatchSize: "8",
    warmupSteps: "2",
  });
  await page.start();
  await page.finished();
  await page.setOptions({ "method.type": "full", numTrainEpochs: "1" });
  await page.trainAgain();
  await page.run(FULL).waitFor();
  return opened;
}

test("two runs of different methods stand side by side", async () => {
  const { page, close } = await openWithRuns();
  assert.deepEqual(await page.runNames(), [FULL, LORA]);
  assert.match(await page.run(LORA).getByTestId("run-against").innerText(), /^reference$/);
  // The other one is judged against the first, on the same rows.
  const against = page.run(FULL).getByTestId("run-against");
  await against.filter({ hasText: /points.*(within the noise|better|worse)/s }).waitFor();
  assert.match(await against.innerText(), / to /, "the difference has an interval");
  for (const name of [LORA, FULL]) {
    assert.match(await page.run(name).getByTestId("run-accuracy").innerText(), /%.*% to .*%/s);
    const baselines = await page.run(name).getByTestId("run-baselines").innerText();
    for (const baseline of ["Zero-shot", "Nearest centroid", "Linear probe"]) assert.ok(baselines.includes(baseline));
  }
  await page.at("reference").selectOption({ label: FULL });
  await page
    .run(LORA)
    .getByTestId("run-against")
    .filter({ hasText: /points/ })
    .waitFor();

  for (const plot of ["compare-loss", "compare-accuracy"]) {
    assert.match(await page.at(plot).innerText(), /2 runs/);
    await page.at(plot).locator("canvas").waitFor();
  }
  await page.run(LORA).getByTestId("run-shown").uncheck();
  await page.reads("compare-loss", /1 run;/);

  await page.openRun(LORA);
  assert.match(await page.at("run-details").innerText(), /Rank r\s+2/);
  assert.match(await page.at("run-rates").innerText(), /head.*layer 1.*layer 0/s);
  await close();
});

test("a run on other rows is not compared", async () => {
  const { page, close } = await openWithRuns();
  await page.setOptions({ validationSplit: "0.3" });
  await page.trainAgain();
  const other = `${FULL} 2`;
  await page.run(other).waitFor();
  await page.run(other).getByTestId("run-against").filter({ hasText: "evaluated on other rows" }).waitFor();
  await close();
});

test("runs outlive the visit: renamed, taken away without texts, brought back, deleted, used again", async () => {
  const { page, close } = await openWithRuns();
  await page.openRun(LORA);
  await page.at("run-rename").fill("small rank");
  await page.at("run-rename-save").click();
  await page.run("small rank").waitFor();

  const texts = csv(20)
    .split("\n")
    .slice(1)
    .map((line) => line.split(",")[0] ?? "")
    .filter(Boolean);
  const bare = await page.exportRun({ texts: false });
  assert.equal(bare.name, "small-rank.run.json");
  const record = JSON.parse(bare.text);
  assert.equal(record.options.method.r, 2);
  for (const text of texts) assert.ok(!bare.text.includes(text), `"${text}" is in the file`);
  const full = await page.exportRun({ texts: true });
  assert.ok(texts.includes(JSON.parse(full.text).rows[0].text));

  await page.export();
  await page.raw.reload();
  await page.run("small rank").waitFor();
  assert.deepEqual(await page.runNames(), [FULL, "small rank"]);
  await page.openRun("small rank");
  assert.ok(await page.at("run-texts").isDisabled(), "texts are not kept beyond the visit");

  await page.run("small rank").getByTestId("run-use").click();
  assert.equal(await page.optionValue("method.type"), "lora");
  assert.equal(await page.optionValue("method.r"), "2");
  assert.equal(await page.optionValue("numTrainEpochs"), "2");

  await page.at("run-delete").click();
  await page.at("confirm-yes").click();
  await page.run("small rank").waitFor({ state: "detached" });
  await page.raw.reload();
  await page.run(FULL).waitFor();
  assert.deepEqual(await page.runNames(), [FULL]);

  const file = (/** @type {string} */ text) => ({
    name: "small-rank.run.json",
    mimeType: "application/json",
    buffer: Buffer.from(text),
  });
  await page.at("runs-import").setInputFiles(file(bare.text));
  await page.run("small rank").waitFor();
  await page.at("runs-import").setInputFiles(file('{"version": 1}'));
  await page.reads("runs-error", /small-rank\.run\.json.*expected/);
  await close();
});

/** @param {import("./support/webtune-page.mjs").WebtunePage} page @param {object} record */
const importRun = (page, record) =>
  page.at("runs-import").setInputFiles({
    name: "strange.run.json",
    mimeType: "application/json",
    buffer: Buffer.from(JSON.stringify(record)),
  });

test("a run file with values of another kind is refused by the field, and stored is nothing of it", async () => {
  const { page, close } = await openWithRuns();
  await page.openRun(LORA);
  const { text } = await page.exportRun({ texts: false });
  const record = { ...JSON.parse(text), id: "strange", name: "strange" };
  const { options } = record;
  // Neither becomes text: a template literal with one of them throws.
  const textless = { toString: 0, valueOf: 0 };
  /** @type {[object, RegExp][]} */
  const cases = [
    [
      { ...options, method: { ...options.method, r: textless } },
      /strange\.run\.json: .*options\.method\.r: expected a number/,
    ],
    [{ ...options, labelDescriptions: { story: 5 } }, /options\.labelDescriptions\.story: expected a text, found 5/],
    [{ ...options, learningRate: textless }, /options\.learningRate: expected a number, found an object/],
  ];
  for (const [changed, message] of cases) {
    await importRun(page, { ...record, options: changed });
    await page.reads("runs-error", message);
  }
  // Names that every object has are names like any other.
  await importRun(page, { ...record, reason: "toString", labels: ["constructor", "__proto__"], name: "valueOf" });
  await page.run("valueOf").waitFor();
  await page.openRun("valueOf");
  await page.at("run-details").waitFor();
  await page.export();
  await page.raw.reload();
  await page.run("valueOf").waitFor();
  assert.equal((await page.runNames()).length, 3);
  await close();
});

test("a stored run that cannot be read hides none of the others, and can be deleted", async () => {
  const { page, close } = await openWithRuns();
  await page.export();
  await page.raw.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open("webtune-page");
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const transaction = opening.result.transaction("runs", "readwrite");
          // As a later version of the page may store one.
          transaction.objectStore("runs").put({ version: 2, name: { first: "x" } }, "from-tomorrow");
          transaction.oncomplete = () => {
            opening.result.close();
            resolve(undefined);
          };
        };
      }),
  );
  await page.raw.reload();
  await page.run(LORA).waitFor();
  assert.deepEqual(await page.runNames(), [FULL, LORA]);
  await page.reads("run-unreadable", /version: expected 1, found 2/);
  await page.at("run-unreadable-delete").click();
  await page.at("run-unreadable").waitFor({ state: "detached" });
  await page.raw.reload();
  await page.run(LORA).waitFor();
  assert.equal(await page.at("run-unreadable").count(), 0);
  await close();
});

test("a step that cannot be shown leaves the others at work, and comes back with other data", async () => {
  const { page, close } = await openWithRuns();
  // Both the table of results and the list of labels look for this label.
  await page.raw.evaluate(() => {
    const { get } = Map.prototype;
    Map.prototype.get = function (key) {
      if (key === "story") throw new Error("a fault on purpose");
      return get.call(this, key);
    };
    Reflect.set(window, "mend", () => {
      Map.prototype.get = get;
    });
  });
  await page.run(LORA).getByTestId("run-shown").uncheck();
  await page.at("cannot-be-shown").nth(1).waitFor();
  assert.deepEqual(
    await page.at("cannot-be-shown").allInnerTexts(),
    ["The list of examples", "Results"].map((part) => `${part} cannot be shown: a fault on purpose`),
  );
  assert.ok(await page.at("clear-examples").isEnabled());
  await page.export();
  // A part may also be asked to try again by itself.
  await page.at("show-again").first().click();
  assert.equal(await page.at("cannot-be-shown").count(), 2);
  await page.raw.evaluate(() => Reflect.get(window, "mend")());
  await page.at("show-again").last().click();
  await page.at("class-table").waitFor();
  assert.equal(await page.at("cannot-be-shown").count(), 1);
  await page.run(LORA).getByTestId("run-shown").check();
  await page.at("examples-table").waitFor();
  await close();
});

test("the settings of a run, used again, repeat it", async () => {
  const { page, close } = await openWithRuns();
  const before = await page.run(LORA).getByTestId("run-accuracy").innerText();
  await page.run(LORA).getByTestId("run-use").click();
  await page.trainAgain();
  const again = page.run(`${LORA} 2`);
  await again.waitFor();
  assert.equal(await again.getByTestId("run-accuracy").innerText(), before);
  await again.getByTestId("run-against").filter({ hasText: "±0.0 points" }).waitFor();
  await close();
});

test("a browser that keeps nothing: the run stays on the page, which says so and holds on to it", async () => {
  const { page, close } = await site.open();
  await page.raw.addInitScript(() => {
    // As in a private window of some browsers.
    indexedDB.open = () => {
      throw new DOMException("no storage here", "SecurityError");
    };
  });
  await page.raw.reload();
  await page.chooseDevice("cpu");
  await page.chooseModelFiles(tinyModel());
  await page.loadModel();
  await page.paste(csv(20));
  await page.setOptions({ "method.type": "lora", numTrainEpochs: "1" });
  await page.start();
  await page.finished();
  await page.reads("runs-error", /did not store lora · pasted text: no storage here/);
  await page.export();
  await page.export(() => page.at("save-examples").click());
  assert.equal(await page.leavingIsHeld(), true);
  await page.openRun(LORA);
  await page.exportRun({ texts: false });
  assert.equal(await page.leavingIsHeld(), false);
  await close();
});
