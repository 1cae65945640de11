/**
 * Dawn, Chromium's WebGPU, as a Node module: installs it in the cache folder, and says how a process that computes with it is started.
 * Only Node's own modules here.
 */
import { existsSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { findChromium } from "./chromium.mjs";
import { extraPackages } from "./extra-packages.mjs";
import { ask, Failure } from "./run.mjs";

/**
 * `hardware`: the graphics card that the platform prefers. `software`: the SwiftShader that comes with Chromium.
 * `none`: Dawn's own backend that checks every call and computes nothing, for which a machine needs no driver.
 * @typedef {"hardware" | "software" | "none"} Adapter
 */

/** SwiftShader's manifest for Vulkan's loader, and next to it a loader, as Chromium brings them. */
const MANIFEST = "vk_swiftshader_icd.json";
const LOADER = "libvulkan.so.1";

/** @returns {Promise<string>} the module's address */
export async function ensureDawn() {
  const packages = await extraPackages({
    from: "benches/support/dawn",
    to: "dawn",
    words: "installing Dawn with npm, once (130 MB, of which this platform's 25 are kept)",
    afterwards: keepOwnBinary,
  });
  return pathToFileURL(join(packages, "webgpu/index.js")).href;
}

/** The package holds a binary for each platform. @param {string} packages */
function keepOwnBinary(packages) {
  const folder = join(packages, "webgpu/dist");
  const own = `${process.platform}-${process.platform === "darwin" ? "universal" : process.arch}`;
  const all = readdirSync(folder);
  if (!all.includes(own)) throw new Failure(`Dawn: expected this platform, ${own}, among ${all.join(", ")}`);
  for (const name of all) if (name !== own) rmSync(join(folder, name), { recursive: true });
}

/** The environment of a process that opens Dawn on that adapter. @param {Adapter} adapter */
export function dawnEnv(adapter) {
  if (adapter === "none") return process.env;
  const chromium = chromiumFolder();
  // A loader of the machine's own goes first.
  const lacksLoader = process.platform === "linux" && !ask("ldconfig", ["-p"])?.includes(LOADER);
  const brought = lacksLoader && chromium && existsSync(join(chromium, LOADER)) ? [chromium] : [];
  const folders = [...brought, process.env.LD_LIBRARY_PATH].filter(Boolean).join(delimiter);
  const env = folders === "" ? process.env : { ...process.env, LD_LIBRARY_PATH: folders };
  if (adapter === "hardware") return env;
  if (!chromium) {
    throw new Failure(
      `the software adapter is Chromium's SwiftShader: expected ${MANIFEST} next to a Chromium, found none; set CHROME_PATH to one`,
    );
  }
  return { ...env, VK_ICD_FILENAMES: join(chromium, MANIFEST) };
}

/** Where Chromium's libraries are; its command may be a script elsewhere. */
function chromiumFolder() {
  const found = findChromium();
  const folders = [...(found ? [dirname(realpathSync(found))] : []), "/usr/lib/chromium", "/opt/google/chrome"];
  return folders.find((folder) => existsSync(join(folder, MANIFEST)));
}
