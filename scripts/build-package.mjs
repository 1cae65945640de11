/**
 * Builds pkg, which package.json publishes as `webtune`, from www/lib and the WebAssembly.
 * `npm run build:package`; skipped when nothing has changed.
 */
import { copyFileSync, cpSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { ensureWasm } from "./build-wasm.mjs";
import { root } from "./cache.mjs";
import { say, script, showPackage } from "./run.mjs";
import { setup } from "./setup.mjs";
import { hashOf, isFresh, writeStamp } from "./stamp.mjs";

export const pkg = join(root, "pkg");

/** What a browser runs is checked without Node's types. */
const PROJECTS = ["tsconfig.lib.json", "tsconfig.node.json"];
/** Rows for who has none yet. */
const EXAMPLES = "www/app/examples";

/** Packages whose code goes into this one, by the file of `vendor` that exports from them. */
const VENDORS = { hub: "@huggingface/hub", hashes: "@noble/hashes", zip: "fflate" };

/** Puts what is used of other packages in place of the files that name them, with their licences. */
async function bundleVendors() {
  // Loaded here: it needs installed packages.
  const { build } = await import("vite");
  for (const [name, vendor] of Object.entries(VENDORS)) {
    const file = join(pkg, "vendor", `${name}.js`);
    await build({
      configFile: false,
      logLevel: "error",
      build: {
        lib: { entry: file, formats: ["es"], fileName: () => `${name}.js` },
        outDir: join(pkg, "vendor"),
        emptyOutDir: false,
        target: "es2022",
        minify: false,
      },
    });
    copyFileSync(join(root, "node_modules", vendor, "LICENSE"), join(pkg, "vendor", `${name}.LICENSE`));
  }
}

/** Builds what has changed; gives the folder. */
export async function ensurePackage() {
  await setup();
  const variants = await ensureWasm();
  const configs = ["tsconfig.json", ...PROJECTS];
  const hash = hashOf(["www/lib", EXAMPLES, ...configs, "package-lock.json"]);
  // Outside pkg: the folder is published as it is.
  const stamp = join(root, "node_modules", ".webtune-package");
  if (
    isFresh(
      stamp,
      hash,
      [
        "index.js",
        "index.d.ts",
        "node/index.js",
        "command/bin.js",
        "wasm/cpu/webtune_bg.wasm",
        "wasm/webgpu/webtune_bg.wasm",
      ].map((file) => join(pkg, file)),
    )
  ) {
    return pkg;
  }
  say("building the package");
  rmSync(pkg, { recursive: true, force: true });
  for (const project of PROJECTS) await showPackage("typescript/bin/tsc", ["-p", project]);
  await bundleVendors();
  cpSync(join(root, EXAMPLES), join(pkg, "command/examples"), { recursive: true });
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
