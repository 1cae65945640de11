/**
 * Opens a headless Chromium with a page that runs the published package's functions for a script.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { build } from "vite";
import { ensurePackage, pkg } from "./build-package.mjs";
import { cache } from "./cache.mjs";
import { chromiumFlags, ensureChromium } from "./chromium.mjs";
import { ensureModel, MINILM } from "./model.mjs";
import { Failure } from "./run.mjs";
import { hashOf, isFresh, writeStamp } from "./stamp.mjs";
import { serve } from "./static-server.mjs";

/** Flags of a person's own, such as those that a graphics card needs in a headless browser. */
const ownFlags = (process.env.WEBTUNE_CHROMIUM_FLAGS ?? "").split(/\s+/).filter(Boolean);

export async function launch() {
  const { chromium: executablePath } = await ensureChromium();
  return chromium.launch({ executablePath, headless: true, args: [...chromiumFlags, ...ownFlags] });
}

/** The harness page, bundled against pkg as an outsider's page would be. */
async function ensureHarness() {
  await ensurePackage();
  const outDir = join(cache, "harness");
  const stamp = join(outDir, ".stamp");
  const hash = hashOf(["pkg", "scripts/harness", "package-lock.json"]);
  if (isFresh(stamp, hash, [join(outDir, "index.html")])) return outDir;
  await build({
    root: fileURLToPath(new URL("./harness", import.meta.url)),
    configFile: false,
    base: "./",
    logLevel: "error",
    resolve: { alias: { webtune: join(pkg, "index.js") } },
    worker: { format: "es" },
    build: { outDir, emptyOutDir: true, target: "es2022", assetsInlineLimit: 0, chunkSizeWarningLimit: 4096 },
  });
  writeStamp(stamp, hash);
  return outDir;
}

/**
 * @typedef {object} Harness
 * @property {string} modelUrl address of the folder of the default model for classifiers
 * @property {string} modelName the repository that it is a copy of
 * @property {(job: string, argument: unknown, onEvent?: (event: any) => void, path?: string) => Promise<any>} run in a fresh page, the
 * harness's own or that of another path
 * @property {() => Promise<void>} close
 */

/**
 * @param {Record<string, string>} [mounts] files and folders that jobs read, next to the default model
 * @returns {Promise<Harness>}
 */
export async function openHarness(mounts = {}) {
  const folder = await ensureHarness();
  const model = await ensureModel(MINILM);
  const server = await serve({ mounts: { "/": folder, [`/models/${MINILM.name}/`]: model, ...mounts } });
  const browser = await launch();
  return {
    modelUrl: `models/${MINILM.name}/`,
    modelName: MINILM.repository,
    async run(job, argument, onEvent = () => {}, path = "/") {
      const page = await browser.newPage();
      try {
        await page.exposeFunction("webtuneReport", onEvent);
        const crashed = new Promise((_, fail) =>
          page.once("crash", () =>
            fail(new Failure("the browser's page crashed, most likely for want of memory", "crashed")),
          ),
        );
        await page.goto(`${server.origin}${path}`);
        await page.waitForFunction("globalThis.webtuneRun");
        const call = page.evaluate(
          ([name, value]) => /** @type {any} */ (globalThis).webtuneRun(name, value),
          /** @type {[string, unknown]} */ ([job, argument]),
        );
        const { value, error } = await Promise.race([call, crashed]);
        if (error) throw new Failure(error.message, error.code);
        return value;
      } catch (error) {
        // Calls to a browser that is gone may fail before its end is known.
        await new Promise((done) => setTimeout(done, 100));
        if (browser.isConnected()) throw error;
        throw new Failure(
          "the browser ended before its work did: it was closed or killed, or memory ran out",
          "crashed",
        );
      } finally {
        await page.close();
      }
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}
