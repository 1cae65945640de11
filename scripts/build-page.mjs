/**
 * Builds dist from www/app, the WebAssembly and the default model, for any static file server and sub-path.
 * `npm run build`; skipped when nothing has changed.
 */
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { ensureFirstWasm, ensureWasm } from "./build-wasm.mjs";
import { root } from "./cache.mjs";
import { compress } from "./compress.mjs";
import { ensureModel, MINILM, pageFiles } from "./model.mjs";
import { say, script, showPackage } from "./run.mjs";
import { setup } from "./setup.mjs";
import { hashOf, isFresh, writeStamp } from "./stamp.mjs";

export const dist = join(root, "dist");

/** Where a first page is until the whole one is built. */
const firstPage = join(root, "node_modules", ".webtune-first-page");

/** The mode of a page that has the CPU engine's module in place of the other. */
export const WITHOUT_WEBGPU = "without-webgpu";

/** Builds what has changed; gives the folder. */
export async function ensurePage() {
  await setup();
  const modelDir = await ensureModel(MINILM);
  await ensureWasm();
  const hash = hashOf(["www", "package-lock.json", "scripts/model.mjs"]);
  // Outside dist: the folder is published as it is.
  const stamp = join(root, "node_modules", ".webtune-page");
  const outputs = [join(dist, "index.html"), ...pageFiles(MINILM).map((path) => join(modelsIn(dist), path))];
  if (isFresh(stamp, hash, outputs)) return dist;
  await buildPage(dist, modelDir, "production");
  writeStamp(stamp, hash);
  return dist;
}

/**
 * The page as soon as the CPU engine is there. `whole` is another page, once it is built, where the
 * WebGPU engine is missing yet.
 *
 * @returns {Promise<{ folder: string, whole: Promise<string> | undefined }>}
 */
export async function ensureFirstPage() {
  await setup();
  const modelDir = await ensureModel(MINILM);
  if (!(await ensureFirstWasm())) return { folder: await ensurePage(), whole: undefined };
  await buildPage(firstPage, modelDir, WITHOUT_WEBGPU);
  return { folder: firstPage, whole: ensurePage() };
}

/** @param {string} folder */
const modelsIn = (folder) => join(folder, "models", MINILM.name);

/** @param {string} folder @param {string} modelDir @param {string} mode as www/app/vite.config.ts knows them */
export async function buildPage(folder, modelDir, mode) {
  say("building the page");
  const where = ["--config", "www/app/vite.config.ts", "--outDir", folder, "--emptyOutDir"];
  await showPackage("vite/bin/vite.js", ["build", ...where, "--mode", mode, "--logLevel", "warn"]);
  for (const path of pageFiles(MINILM)) {
    mkdirSync(dirname(join(modelsIn(folder), path)), { recursive: true });
    copyFileSync(join(modelDir, path), join(modelsIn(folder), path));
  }
}

script(import.meta.url, async () => {
  // Not for `npm start`, which would wait for it and gain nothing on this machine.
  await compress(await ensurePage());
  say("the page is in dist; any static file server can serve that folder, from any sub-path");
});
