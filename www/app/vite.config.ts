/** Builds the page into `dist`, a folder for any static server and sub-path. */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { build, defineConfig, type Plugin } from "vite";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Vite's development server adds inline scripts and styles, so the policy holds in the built page only. */
function policyInBuildOnly(): Plugin {
  return {
    name: "policy-in-build-only",
    apply: "serve",
    transformIndexHtml: (html) => html.replace(/<meta\s+http-equiv="Content-Security-Policy"[^>]*>/, ""),
  };
}

const serviceWorker = here("./offline/service-worker.ts");
/** Where Vite puts files whose names carry a hash of their contents. */
const HASHED = "assets/";

/** Adds a service worker that knows every file of the build. */
function offlineFiles(): Plugin {
  return {
    name: "offline-files",
    apply: "build",
    enforce: "post",
    async generateBundle(_options, bundle) {
      const files = Object.values(bundle).map((file) => {
        const content = file.type === "chunk" ? file.code : file.source;
        const revision = createHash("sha256").update(content).digest("hex").slice(0, 16);
        return { url: file.fileName, revision: file.fileName.startsWith(HASHED) ? null : revision };
      });
      const source = await bundled({
        FILES: JSON.stringify(files.sort((a, b) => (a.url < b.url ? -1 : 1))),
        "process.env.NODE_ENV": '"production"',
      });
      this.emitFile({ type: "asset", fileName: "service-worker.js", source });
    },
  };
}

/** One script without imports: not every browser takes modules here. @param define values of free names, as source text. */
async function bundled(define: Record<string, string>): Promise<string> {
  const result = await build({
    configFile: false,
    publicDir: false,
    logLevel: "warn",
    define,
    build: { write: false, target: "es2022", lib: { entry: serviceWorker, formats: ["iife"], name: "offline" } },
  });
  const chunk = (Array.isArray(result) ? result : [result])
    .flatMap((one) => ("output" in one ? one.output : []))
    .find((file) => file.type === "chunk");
  if (!chunk) throw new Error(`${serviceWorker}: expected one bundled script, found none`);
  return chunk.code;
}

/** A page that is served while the WebGPU engine is still being built: its place is taken by the CPU engine's module. */
const WITHOUT_WEBGPU = "without-webgpu";
const cpuInPlaceOfWebgpu = { "../wasm/webgpu/webtune.js": here("../lib/wasm/cpu/webtune.js") };

export default defineConfig(({ mode }) => ({
  root: here("."),
  // Relative addresses, so that the folder works from any sub-path.
  base: "./",
  publicDir: false,
  plugins: [policyInBuildOnly(), offlineFiles()],
  resolve: { alias: { webtune: here("../lib/index.ts"), ...(mode === WITHOUT_WEBGPU ? cpuInPlaceOfWebgpu : {}) } },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  worker: { format: "es" },
  build: {
    outDir: here("../../dist"),
    emptyOutDir: true,
    target: "es2022",
    // `data:` addresses would need a weaker policy.
    assetsInlineLimit: 0,
    rolldownOptions: { input: [here("./index.html"), here("./engine-room.html")] },
  },
}));
