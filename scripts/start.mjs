/**
 * Builds the page from a fresh clone, serves it on this machine and prints its address on standard output.
 * `npm start [-- --port N]`.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureFirstPage } from "./build-page.mjs";
import { ensureModel, folderOf, MINILM, SMOLLM2 } from "./model.mjs";
import { Failure, say, script } from "./run.mjs";
import { serve } from "./static-server.mjs";

const DEFAULT_PORT = 4173;

function readPort() {
  let port;
  try {
    ({ port } = parseArgs({ options: { port: { type: "string" } } }).values);
  } catch (error) {
    throw new Failure(`${/** @type {Error} */ (error).message}; the only option is --port N`);
  }
  const number = Number(port ?? DEFAULT_PORT);
  if (!Number.isInteger(number) || number < 1 || number > 65535) {
    throw new Failure(`--port: expected a whole number from 1 to 65535, found "${port}"`);
  }
  // A port that a person asked for is meant; the default one may move.
  return { port: number, fallForward: port === undefined };
}

/** Nothing waits for it but requests for its file: whoever sorts texts has no use for it. */
async function fetchLanguageModel() {
  try {
    await ensureModel(SMOLLM2, { quiet: true });
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    say(`note: ${message}; until the next npm start "Write texts" offers it from Hugging Face`);
  }
}

script(import.meta.url, async () => {
  const wanted = readPort();
  const begun = performance.now();
  await ensureModel(MINILM);
  const language = fetchLanguageModel();
  const { folder, whole } = await ensureFirstPage();
  const models = `/models/${SMOLLM2.name}/`;
  // Without its service worker: a browser would open this page later for whatever program has the port then.
  /** @type {Record<string, string | string[]>} */
  const mounts = { "/": folder, "/service-worker.js": join(folder, "left-out"), [models]: folderOf(SMOLLM2) };
  const ready = (/** @type {string} */ path) => (path.startsWith(models) ? language : undefined);
  const { origin } = await serve({ mounts, ready, ...wanted });
  say(`ready after ${((performance.now() - begun) / 1000).toFixed(1)} s; stop with Ctrl+C`);
  process.stdout.write(`${origin}/\n`);
  if (!whole) return;
  say("the page has the CPU engine; the WebGPU engine is being built meanwhile");
  // An open page still asks for files of its own build.
  mounts["/"] = [await whole, folder];
  say("the WebGPU engine is there: reload the page");
});
