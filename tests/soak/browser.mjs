/**
 * Kills workers, tabs and the browser's GPU process at random times of runs on the page, and compares what comes out with runs that
 * nothing happened to. `npm run soak:browser [-- --seed N] [-- --only kills|gpu]`; a quarter of an hour. Prints a table; any step that is
 * lost, and any weight that differs, is a failure.
 */
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { unzipSync } from "fflate";
import { LanguagePage } from "../e2e/support/language-page.mjs";
import { csv } from "../e2e/support/rows.mjs";
import { openSite } from "../e2e/support/site.mjs";
import { tinyLanguageModel } from "../e2e/support/tiny-language.mjs";
import { tinyModel } from "../e2e/support/tiny-model.mjs";
import { kept, startOnGpu, writeStatesOften } from "../e2e/support/unfinished.mjs";
import { WebtunePage } from "../e2e/support/webtune-page.mjs";

const KILLS_IN_A_RUN = 10;
const RUNS_OF_A_DESK = 2;
const GPU_RUNS = 5;
/** After two losses a run is on the CPU engine. */
const LOSSES_IN_A_RUN = 2;

const { values } = parseArgs({
  options: { seed: { type: "string", default: String(Date.now() % 100_000) }, only: { type: "string" } },
});
const seed = Number(values.seed);
console.log(`seed ${seed}`);

/** Numbers from 0 to 1, the same for the same seed. */
function random() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
let state = seed >>> 0;

/** @typedef {Awaited<ReturnType<typeof openSite>>} Site */

/**
 * @typedef {object} Desk
 * @property {string} name
 * @property {(page: WebtunePage) => Promise<WebtunePage>} prepare what shows the desk, in a page that was just opened
 * @property {(page: WebtunePage) => Promise<void>} start
 * @property {() => { name: string, mimeType: string, buffer: Buffer }[]} files
 * @property {string} exportButton
 */

/** @type {Desk[]} */
const desks = [
  {
    name: "classify",
    prepare: async (page) => page,
    async start(page) {
      await page.chooseDevice("cpu");
      await page.chooseModelFiles(tinyModel());
      await page.loadModel();
      await page.paste(csv(40));
      await page.setOptions({ "method.type": "lora", earlyStoppingPatience: "0", numTrainEpochs: "400" });
      await page.start();
    },
    files: tinyModel,
    exportButton: "export",
  },
  {
    name: "language",
    async prepare({ raw }) {
      const page = new LanguagePage(raw);
      await page.choose();
      return page;
    },
    async start(given) {
      const page = /** @type {LanguagePage} */ (given);
      await page.chooseDevice("cpu");
      await page.chooseTiny();
      await page.loadModel();
      await page.useBuiltInTexts();
      await page.setOptions({ numTrainEpochs: "60", earlyStoppingPatience: "0", maxLength: "64" });
      await page.setOptions({ fewShotExamples: "0", sampleTokens: "0" });
      await page.start();
    },
    files: () =>
      Object.entries(tinyLanguageModel()).map(([name, buffer]) => ({
        name,
        mimeType: "application/octet-stream",
        buffer,
      })),
    exportButton: "export-peft",
  },
];

/** @param {WebtunePage} page @param {string} button */
async function weights(page, button) {
  const { bytes } = await page.export(() => page.at(button).click());
  const found = unzipSync(bytes)["adapter_model.safetensors"];
  assert.ok(found, "the zip holds weights");
  return Buffer.from(found);
}

/** The step that the page shows, and of how many; undefined while there is none. @param {WebtunePage} page */
async function place(page) {
  const words = await page
    .at("train-progress-text")
    .innerText({ timeout: 500 })
    .catch(() => "");
  const found = /step ([\d,]+) of ([\d,]+)/.exec(words);
  return found && { step: number(found[1]), total: number(found[2]) };
}

const number = (/** @type {string | undefined} */ words) => Number(words?.replaceAll(",", ""));

/** Lets a run go on for a random while, from a step that is seen. @param {WebtunePage} page */
async function letGo(page) {
  for (let tries = 0; !(await place(page)); tries += 1) {
    assert.ok(tries < 600, `no step within a minute: ${await page.raw.getByRole("alert").allInnerTexts()}`);
    await page.raw.waitForTimeout(100);
  }
  await page.raw.waitForTimeout(300 + 1500 * random());
  return place(page);
}

/** @param {Site} site @param {Desk} desk */
async function whole(site, desk) {
  const { page, close } = await site.open();
  const shown = await desk.prepare(page);
  await desk.start(shown);
  await shown.finished();
  const bytes = await weights(shown, desk.exportButton);
  await close();
  return bytes;
}

/** @param {Site} site @param {Desk} desk @param {Buffer} expected */
async function killed(site, desk, expected) {
  const { page: first, close } = await site.open();
  const context = first.raw.context();
  const address = first.raw.url();
  let page = await desk.prepare(first);
  await writeStatesOften(page.raw);
  await desk.start(page);
  const kills = { worker: 0, tab: 0 };
  let lost = 0;
  for (let kill = 0; kill < KILLS_IN_A_RUN; kill += 1) {
    const at = await letGo(page);
    if (!at) break;
    /** @type {number} */
    let back;
    if (kill % 2 === 0) {
      await page.crashWorkers();
      kills.worker += 1;
      const said = await page.reads("recovery", /continued at step \d+|began anew/);
      back = number(/at step (\d+)/.exec(said)?.[1] ?? "0");
    } else {
      const cdp = await context.newCDPSession(page.raw);
      cdp.send("Page.crash").catch(() => undefined);
      await page.raw.waitForEvent("crash");
      await page.raw.close();
      kills.tab += 1;
      const raw = await context.newPage();
      await raw.goto(`${address}?checkpointSeconds=0`);
      page = await desk.prepare(new WebtunePage(raw));
      const said = await page.reads("unfinished-text", /was cut off/);
      back = number(/at step ([\d,]+) of/.exec(said)?.[1] ?? "0");
      await page.at("continue-run").click();
      await page.at("continue-files").setInputFiles(desk.files());
    }
    lost += Math.max(0, at.step - back);
  }
  const { reason } = await page.finished();
  assert.equal(reason, "completed");
  const equal = (await weights(page, desk.exportButton)).equals(expected);
  const left = await kept(page.raw);
  assert.deepEqual(left, [], "an ended run leaves nothing");
  await context.close();
  void close;
  return { ...kills, computedAgain: lost, equal };
}

/** @param {number} run */
async function onGpu(run) {
  // A browser gives up its GPU after some deaths of the process: each run has one of its own.
  const site = await openSite();
  try {
    const { page, close } = await site.open();
    await startOnGpu(page, 40);
    let again = 0;
    for (let loss = 0; loss < LOSSES_IN_A_RUN; loss += 1) {
      const at = await letGo(page);
      assert.ok(at, `run ${run} ended before loss ${loss}`);
      await site.killGpu();
      const where = loss === 0 ? /continued at step \d+\.$/ : /continued at step \d+ on the CPU engine\.$/;
      const said = await page.reads("recovery", where, 120_000);
      again += Math.max(0, at.step - number(/at step (\d+)/.exec(said)?.[1]));
    }
    const { reason } = await page.finished();
    assert.equal(reason, "completed");
    await close();
    return { losses: LOSSES_IN_A_RUN, computedAgain: again };
  } finally {
    await site.close();
  }
}

/** @type {Record<string, unknown>[]} */
const table = [];
if (values.only !== "gpu") {
  const site = await openSite();
  for (const desk of desks) {
    const expected = await whole(site, desk);
    for (let run = 0; run < RUNS_OF_A_DESK; run += 1) {
      const found = await killed(site, desk, expected);
      table.push({ desk: desk.name, device: "cpu", ...found });
      console.log(JSON.stringify(table.at(-1)));
      assert.ok(found.equal, `seed ${seed}, ${desk.name}: the weights differ from those of an uninterrupted run`);
    }
  }
  await site.close();
}
if (values.only !== "kills") {
  for (let run = 0; run < GPU_RUNS; run += 1) {
    table.push({ desk: "classify", device: "webgpu", ...(await onGpu(run)) });
    console.log(JSON.stringify(table.at(-1)));
  }
}
console.table(table);
