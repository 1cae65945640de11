/**
 * Builds pkg, which package.json publishes as `webtune`, from www/lib and the WebAssembly.
 * `npm run build:package`; skipped when nothing has changed.
 */
import { cpSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { ensureWasm } from "./build-wasm.mjs";
import { root } from "./cache.mjs";
import { say, script, showPackage } from "./run.mjs";
import { setup } from "./setup.mjs";
import { hashOf, isFresh, writeStamp } from "./stamp.mjs";

export const pkg = join(root, "pkg");

/** Builds what has changed; gives the folder. */
export async function ensurePackage() {
  await setup();
  const variants = await ensureWasm();
  const hash = hashOf(["www/lib", "tsconfig.json", "tsconfig.lib.json", "package-lock.json"]);
  // Outside pkg: the folder is published as it is.
  const stamp = join(root, "node_modules", ".webtune-package");
  if (
    isFresh(
      stamp,
      hash,
      ["index.js", "index.d.ts", "wasm/cpu/webtune_bg.wasm", "wasm/webgpu/webtune_bg.wasm"].map((file) =>
        join(pkg, file),
      ),
    )
  ) {
    return pkg;
  }
  say("building the package");
  rmSync(pkg, { recursive: true, force: true });
  await showPackage("typescript/bin/tsc", ["-p", "tsconfig.lib.json"]);
  for (const { outDir } of variants) {
    const filter = (/** @type {string} */ source) => basename(source) !== ".stamp";
    cpSync(outDir, join(pkg, "wasm", basename(outDir)), { recursive: true, filter });
  }
  writeStamp(stamp, hash);
  return pkg;
}

script(import.meta.url, async () => {
  await ensurePackage();
  say("the package is in pkg; npm pack makes its archive");
});
