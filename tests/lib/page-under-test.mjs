/**
 * Bundles modules of the page for Node, once per test process. What they want of a browser when they are loaded is put in place first.
 */
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const root = fileURLToPath(new URL("../../", import.meta.url));
const out = `${root}node_modules/.cache/webtune-page-test/${process.pid}`;

/** Drawing needs a canvas; a plot's words and values are the page's own. @type {import("vite").Plugin} */
const noPlots = {
  name: "no-plots",
  enforce: "pre",
  resolveId: (id) => (id.startsWith("uplot") ? `\0${id}` : undefined),
  load: (id) => (id.startsWith("\0uplot") ? "export default class {}" : undefined),
};

/** @param {Record<string, string>} entries names to files below www/app @returns {Promise<Record<string, any>>} modules by those names */
export async function loadPage(entries) {
  const input = Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, `${root}www/app/${file}`]));
  await build({
    root,
    configFile: false,
    logLevel: "error",
    resolve: { alias: { webtune: `${root}www/lib/index.ts` } },
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    // Preact stays outside, so that whatever renders has the same one.
    ssr: { noExternal: ["uplot", "fflate", "client-zip"] },
    plugins: [noPlots],
    build: { ssr: true, outDir: out, emptyOutDir: false, rollupOptions: { input } },
  });
  const browser = {
    window: globalThis,
    navigator: {},
    matchMedia: () => ({ matches: false, addEventListener: () => undefined }),
    document: { baseURI: "http://localhost/" },
    location: { href: "http://localhost/" },
  };
  // Node's would keep the process alive.
  Reflect.deleteProperty(globalThis, "BroadcastChannel");
  for (const [name, value] of Object.entries(browser)) Object.defineProperty(globalThis, name, { value });
  const loaded = Object.keys(input).map(async (name) => [name, await import(`${out}/${name}.js`)]);
  return Object.fromEntries(await Promise.all(loaded));
}

export const removePage = () => rm(out, { recursive: true, force: true });
