/**
 * Installs llama.cpp for Node and for web pages (wllama), which load GGUF adapters, in the cache folder: 100 MB.
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cache, root } from "../../scripts/cache.mjs";
import { Failure, say, show } from "../../scripts/run.mjs";
import { hashOf, isFresh, writeStamp } from "../../scripts/stamp.mjs";

const FOLDER = "tests/exports/llama-cpp";
const FILES = ["package.json", "package-lock.json"];

/** The packages with a build for the CPU, by Node's names of platform and processor. @type {Record<string, string>} */
const BUILDS = {
  "darwin-arm64": "mac-arm64-metal",
  "darwin-x64": "mac-x64",
  "linux-arm64": "linux-arm64",
  "linux-x64": "linux-x64",
  "win32-arm64": "win-arm64",
  "win32-x64": "win-x64",
};

/** @returns {Promise<string>} the folder with its packages, again installed when the lock file changes */
export async function llamaCpp() {
  const folder = join(cache, "exports-llama-cpp");
  const packages = join(folder, "node_modules");
  const stamp = join(folder, "stamp");
  const platform = `${process.platform}-${process.arch}`;
  const hash = hashOf(
    FILES.map((name) => `${FOLDER}/${name}`),
    [platform],
  );
  if (isFresh(stamp, hash, [packages])) return packages;
  const build = BUILDS[platform];
  if (!build) throw new Failure(`node-llama-cpp: expected one of ${Object.keys(BUILDS).join(", ")}, found ${platform}`);
  say("installing llama.cpp for Node and wllama with npm, once (100 MB)");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of FILES) copyFileSync(join(root, FOLDER, name), join(folder, name));
  const { dependencies } = JSON.parse(readFileSync(join(root, FOLDER, "package.json"), "utf8"));
  // The builds are optional packages, and npm would take those for graphics cards too: 600 MB. No scripts: one would look for a compiler.
  const quiet = ["--no-save", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"];
  await show("npm", ["install", ...quiet, `@node-llama-cpp/${build}@${dependencies["node-llama-cpp"]}`], {
    cwd: folder,
  });
  writeStamp(stamp, hash);
  return packages;
}
