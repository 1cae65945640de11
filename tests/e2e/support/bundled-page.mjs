/**
 * A bare page that has bundled the package as a web developer does, for what needs the engine but not webtune's own page.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";
import { launch } from "../../../scripts/browser.mjs";
import { ensurePackage } from "../../../scripts/build-package.mjs";
import { serve } from "../../../scripts/static-server.mjs";

/**
 * @param {string} script A module that imports "webtune" and puts async functions into `globalThis.jobs`.
 * @param {Record<string, Record<string, string | Uint8Array>>} models Files by path, by the address of their folder.
 */
export async function openBundle(script, models) {
  /** @type {string[]} */
  const folders = [];
  const temporary = (/** @type {string} */ name) => {
    const folder = mkdtempSync(join(tmpdir(), `webtune ${name} `));
    folders.push(folder);
    return folder;
  };
  const [from, to] = [temporary("page"), temporary("bundle")];
  /** @type {Record<string, string>} */
  const mounts = { "/": to };
  for (const [address, files] of Object.entries(models)) {
    const folder = temporary("model");
    for (const [path, bytes] of Object.entries(files)) writeFileSync(join(folder, path), bytes);
    mounts[address] = folder;
  }
  const head = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">`;
  writeFileSync(join(from, "index.html"), `${head}<script type="module">${script}</script>`);
  await build({
    root: from,
    configFile: false,
    base: "./",
    logLevel: "error",
    resolve: { alias: { webtune: join(await ensurePackage(), "index.js") } },
    worker: { format: "es" },
    build: { outDir: to, emptyOutDir: true, target: "es2022", chunkSizeWarningLimit: 4096 },
  });
  const server = await serve({ mounts });
  const browser = await launch();
  return {
    /** Does a job in a page of its own. @param {string} name @param {unknown} [argument] @returns {Promise<any>} */
    async job(name, argument) {
      const tab = await browser.newPage();
      try {
        await tab.goto(`${server.origin}/`);
        await tab.waitForFunction("globalThis.jobs");
        return await tab.evaluate(`globalThis.jobs.${name}(${JSON.stringify(argument)})`);
      } finally {
        await tab.close();
      }
    },
    async close() {
      await browser.close();
      await server.close();
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    },
  };
}
