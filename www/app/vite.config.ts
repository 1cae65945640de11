/** Builds the page into `dist`, a folder for any static server and sub-path. */
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Vite's development server adds inline scripts and styles, so the policy holds in the built page only. */
function policyInBuildOnly(): Plugin {
  return {
    name: "policy-in-build-only",
    apply: "serve",
    transformIndexHtml: (html) => html.replace(/<meta\s+http-equiv="Content-Security-Policy"[^>]*>/, ""),
  };
}

export default defineConfig({
  root: here("."),
  // Relative addresses, so that the folder works from any sub-path.
  base: "./",
  publicDir: false,
  plugins: [policyInBuildOnly()],
  resolve: { alias: { webtune: here("../lib/index.ts") } },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  worker: { format: "es" },
  build: {
    outDir: here("../../dist"),
    emptyOutDir: true,
    target: "es2022",
    // `data:` addresses would need a weaker policy.
    assetsInlineLimit: 0,
  },
});
