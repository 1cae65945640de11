/**
 * Builds dist from www/app, the WebAssembly and the default model, for any static file server and sub-path.
 * `npm run build`; skipped when nothing has changed.
 */
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { ensureWasm } from "./build-wasm.mjs";
import { root } from "./cache.mjs";
import { ensureModel, MINILM, pageFiles } from "./model.mjs";
import { say, script, showPackage } from "./run.mjs";
import { setup } from "./setup.mjs";
import { hashOf, isFresh, writeStamp } from "./stamp.mjs";

export const dist = join(root, "dist");

/** Builds what has changed; gives the folder. */
export async function ensurePage() {
  await setup();
  const modelDir = await ensureModel(MINILM);
  await ensureWasm();
  const hash = hashOf(["www", "package-lock.json", "scripts/model.mjs"]);
  // Outside dist: the folder is published as it is.
  const stamp = join(root, "node_modules", ".webtune-page");
  const models = join(dist, "models", MINILM.name);
  const copied = pageFiles(MINILM);
  const outputs = [join(dist, "index.html"), ...copied.map((path) => join(models, path))];
  if (isFresh(stamp, hash, outputs)) return dist;

  say("building the page");
  await showPackage("vite/bin/vite.js", ["build", "--config", "www/app/vite.config.ts", "--logLevel", "warn"]);
  for (const path of copied) {
    mkdirSync(dirname(join(models, path)), { recursive: true });
    copyFileSync(join(modelDir, path), join(models, path));
  }
  writeStamp(stamp, hash);
  return dist;
}

script(import.meta.url, async () => {
  await ensurePage();
  say("the page is in dist; any static file server can serve that folder, from any sub-path");
});
