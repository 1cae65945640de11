/**
 * Builds the page from a fresh clone, serves it on this machine and prints its address on standard output.
 * `npm start [-- --port N]`.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensurePage } from "./build-page.mjs";
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

script(import.meta.url, async () => {
  const wanted = readPort();
  const begun = performance.now();
  const folder = await ensurePage();
  // Without its service worker: a browser would open this page later for whatever program has the port then.
  const mounts = { "/": folder, "/service-worker.js": join(folder, "left-out") };
  const { origin } = await serve({ mounts, ...wanted });
  say(`ready after ${((performance.now() - begun) / 1000).toFixed(1)} s; stop with Ctrl+C`);
  process.stdout.write(`${origin}/\n`);
});
