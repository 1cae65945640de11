/**
 * Installs llama.cpp for Node and for web pages (wllama), which load GGUF adapters, in the cache folder: 100 MB.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/cache.mjs";
import { extraPackages } from "../../scripts/extra-packages.mjs";
import { Failure } from "../../scripts/run.mjs";

const FOLDER = "tests/exports/llama-cpp";

/** The packages with a build for the CPU, by Node's names of platform and processor. @type {Record<string, string>} */
const BUILDS = {
  "darwin-arm64": "mac-arm64-metal",
  "darwin-x64": "mac-x64",
  "linux-arm64": "linux-arm64",
  "linux-x64": "linux-x64",
  "win32-arm64": "win-arm64",
  "win32-x64": "win-x64",
};

/** @returns {Promise<string>} the folder with its packages */
export function llamaCpp() {
  const platform = `${process.platform}-${process.arch}`;
  const build = BUILDS[platform];
  if (!build) throw new Failure(`node-llama-cpp: expected one of ${Object.keys(BUILDS).join(", ")}, found ${platform}`);
  const { dependencies } = JSON.parse(readFileSync(join(root, FOLDER, "package.json"), "utf8"));
  return extraPackages({
    from: FOLDER,
    to: "exports-llama-cpp",
    words: "installing llama.cpp for Node and wllama with npm, once (100 MB)",
    // The builds are optional packages, and npm would take those for graphics cards too: 600 MB.
    npm: ["--omit=optional", `@node-llama-cpp/${build}@${dependencies["node-llama-cpp"]}`],
  });
}
