/**
 * Looks into what a page keeps of its runs, spoils it, and lets states be written far more often than for a person.
 */

import { csv } from "./rows.mjs";
import { tinyModel } from "./tiny-model.mjs";

const STORE = "unfinished";

/** A state as often as the engine can. @param {import("playwright-core").Page} page */
export function writeStatesOften(page) {
  return page.evaluate(() => {
    const address = new URL(location.href);
    address.searchParams.set("checkpointSeconds", "0");
    history.replaceState(history.state, "", address);
  });
}

/**
 * Names of what is kept, the states that are replaced in turn among them: "about", "rows", "state 0".
 * @param {import("playwright-core").Page} page @returns {Promise<string[]>}
 */
export function kept(page) {
  return page.evaluate(
    (name) =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open("webtune-page");
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const database = opening.result;
          const asking = database.transaction(name).objectStore(name).getAllKeys();
          asking.onerror = () => reject(asking.error);
          asking.onsuccess = () => {
            database.close();
            resolve(asking.result.map((/** @type {any} */ key) => key[1]));
          };
        };
      }),
    STORE,
  );
}

/** @param {import("playwright-core").Page} page @param {(names: string[]) => boolean} isWanted */
export async function waitUntilKept(page, isWanted) {
  for (let tries = 0; tries < 300; tries += 1) {
    const names = await kept(page);
    if (isWanted(names)) return;
    await page.waitForTimeout(100);
  }
  throw new Error(`this is kept: ${(await kept(page)).join(", ") || "nothing"}`);
}

/** As a person who removes what a site has stored. @param {import("playwright-core").Page} page */
export function forgetAll(page) {
  return page.evaluate(
    (name) =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open("webtune-page");
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const transaction = opening.result.transaction(name, "readwrite");
          transaction.objectStore(name).clear();
          transaction.oncomplete = () => {
            opening.result.close();
            resolve(undefined);
          };
        };
      }),
    STORE,
  );
}

/** Changes a byte in the newest states. @param {import("playwright-core").Page} page @param {number} howMany */
export function damage(page, howMany) {
  return page.evaluate(
    ({ name, howMany }) =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open("webtune-page");
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const database = opening.result;
          const transaction = database.transaction(name, "readwrite");
          const store = transaction.objectStore(name);
          transaction.onerror = () => reject(transaction.error);
          transaction.oncomplete = () => {
            database.close();
            resolve(undefined);
          };
          const listing = store.getAll();
          listing.onsuccess = () => {
            const run = listing.result.find((/** @type {any} */ one) => one?.states);
            for (const { slot } of run.states.slice(0, howMany)) {
              const key = [run.id, `state ${slot}`];
              const reading = store.get(key);
              reading.onsuccess = () => {
                const bytes = reading.result;
                bytes[bytes.length >> 1] ^= 0xff;
                store.put(bytes, key);
              };
            }
          };
        };
      }),
    { name: STORE, howMany },
  );
}

/** A small run on the graphics card, which writes its states as often as it can. @param {import("./webtune-page.mjs").WebtunePage} page @param {number} epochs */
export async function startOnGpu(page, epochs) {
  await writeStatesOften(page.raw);
  await page.chooseDevice("webgpu");
  await page.chooseModelFiles(tinyModel());
  await page.loadModel();
  await page.reads("device-pill", /WebGPU/);
  await page.paste(csv(8));
  await page.setOptions({ "method.type": "lora", earlyStoppingPatience: "0", numTrainEpochs: String(epochs) });
  await page.start();
}
