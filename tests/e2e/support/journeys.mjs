/**
 * Walks a person's ways through the page behind a proxy, and gives what each step asked of any server.
 * `node tests/e2e/support/journeys.mjs` prints the table of docs/privacy.md.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { script } from "../../../scripts/run.mjs";
import { startHubStub } from "../../hub-stub.mjs";
import { startLedger } from "./ledger.mjs";
import { csv } from "./rows.mjs";
import { BASE, openSite } from "./site.mjs";
import { tinyModel } from "./tiny-model.mjs";
import { waitUntilKept, writeStatesOften } from "./unfinished.mjs";

/** @typedef {Awaited<ReturnType<typeof openSite>>} Site */
/** @typedef {{ step: string, lines: string[] }} Step */

/** The browser looks for a newer version of the page now and then, at times of its own. */
export const UPDATE_CHECK = "GET ./service-worker.js";

/** A page behind a ledger, stored for use without a network. @param {Site} site */
export async function openRecorded(site) {
  const ledger = await startLedger(site.origin, BASE);
  const tab = await site.open({ stored: true, proxy: ledger.proxy });
  await tab.page.at("offline").and(tab.page.raw.locator('[data-status="ready"]')).waitFor();
  return {
    ...tab,
    ledger,
    /** @param {Parameters<typeof tab.close>[0]} [options] */
    async close(options) {
      await tab.close(options);
      await ledger.close();
    },
  };
}

/** @param {Site} site @returns {Promise<Step[]>} */
export async function walk(site) {
  const folder = mkdtempSync(join(tmpdir(), "webtune-journeys-"));
  mkdirSync(join(folder, "tiny"));
  for (const { name, buffer } of tinyModel()) writeFileSync(join(folder, "tiny", name), buffer);
  const hub = await startHubStub({ repositories: { "somebody/tiny": join(folder, "tiny") } });
  try {
    return [...(await sorting(site, hub)), ...(await resuming(site)), ...(await writing(site))];
  } finally {
    await hub.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {Site} site @param {Awaited<ReturnType<typeof startHubStub>>} hub @returns {Promise<Step[]>} */
async function sorting(site, hub) {
  const { page, ledger, close } = await openRecorded(site);
  ledger.call(hub.url, "hub:");
  ledger.call(hub.storageUrl, "storage:");
  /** @type {Step[]} */
  const steps = [];
  const end = async (/** @type {string} */ step) => {
    steps.push({ step, lines: (await ledger.take()).filter((line) => line !== UPDATE_CHECK) });
  };
  await end("First visit, until the page is stored");
  await page.chooseDevice("cpu");
  await page.chooseModelFiles(tinyModel());
  await page.loadModel();
  await end("A model from a folder");
  await page.paste(csv(8));
  await page.setOptions({ "method.type": "lora", earlyStoppingPatience: "0", numTrainEpochs: "2" });
  await page.start();
  await page.finished();
  await end("Rows and a run");
  await page.tryText("the quiet story");
  const { name, bytes } = await page.export();
  await page.importZip(name, bytes);
  await page.reads("import-note", /loaded/);
  await end("Trying, export and import");
  await page.chooseWebModel({ address: "somebody/tiny", hubUrl: hub.url });
  await page.loadModel();
  await end("A model from a hub, here a stub");
  await page.chooseWebModel({ address: `${hub.storageUrl}/somebody/tiny` });
  await page.loadModel();
  await end("A model from a web address");
  await close({ hosts: [hub.url, hub.storageUrl] });
  return steps;
}

/** @param {Site} site @returns {Promise<Step[]>} */
async function resuming(site) {
  const { page, ledger, close } = await openRecorded(site);
  /** @type {Step[]} */
  const steps = [];
  const end = async (/** @type {string} */ step) => {
    steps.push({ step, lines: (await ledger.take()).filter((line) => line !== UPDATE_CHECK) });
  };
  await ledger.take();
  await writeStatesOften(page.raw);
  await page.chooseDevice("cpu");
  await page.loadDefaultModel();
  await end("The default model");
  await page.paste(csv(6));
  await page.setOptions({ "method.type": "lora", earlyStoppingPatience: "0", numTrainEpochs: "500" });
  await page.start();
  await page.progress(/step \d/);
  await waitUntilKept(page.raw, (names) => names.includes("state 0") && names.includes("state 1"));
  await page.raw.reload();
  await page.reads("unfinished-text", /was cut off/);
  await end("A reload in the middle of a run");
  await page.at("continue-run").click();
  await page.progress(/step \d/);
  await page.at("stop").click();
  await page.finished();
  await end("Continuing the run");
  await close();
  return steps;
}

/** @param {Site} site @returns {Promise<Step[]>} */
async function writing(site) {
  const { page, ledger, close } = await openRecorded(site);
  await ledger.take();
  await page.at("task-write").check({ force: true });
  // Whether the server has the default model, which this one hasn't, decides what is offered.
  await page.raw.getByText(/from Hugging Face, Apache-2\.0/).waitFor();
  const lines = (await ledger.take()).filter((line) => line !== UPDATE_CHECK);
  await close();
  return [{ step: 'Opening "Write texts"', lines }];
}

/** @param {Step[]} steps */
export function asTable(steps) {
  const row = (/** @type {Step} */ { step, lines }) =>
    `| ${step} | ${lines.map((line) => `\`${line}\``).join("<br>") || "none"} |`;
  return ["| step | requests |", "| --- | --- |", ...steps.map(row)].join("\n");
}

script(import.meta.url, async () => {
  const site = await openSite();
  try {
    process.stdout.write(`${asTable(await walk(site))}\n`);
  } finally {
    await site.close();
  }
});
