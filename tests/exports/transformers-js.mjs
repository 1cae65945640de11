/**
 * Installs transformers.js, which runs ONNX exports, in the cache folder: 480 MB, most of it onnxruntime's binaries for every platform,
 * which nobody needs who does not run these checks.
 */
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cache, root } from "../../scripts/cache.mjs";
import { say, show } from "../../scripts/run.mjs";
import { hashOf, isFresh, writeStamp } from "../../scripts/stamp.mjs";

const FOLDER = "tests/exports/transformers-js";
const FILES = ["package.json", "package-lock.json"];

/** @returns {Promise<string>} the folder with its packages, again installed when the lock file changes */
export async function transformersJs() {
  const folder = join(cache, "exports-transformers-js");
  const packages = join(folder, "node_modules");
  const stamp = join(folder, "stamp");
  const hash = hashOf(FILES.map((name) => `${FOLDER}/${name}`));
  if (isFresh(stamp, hash, [packages])) return packages;
  say("installing transformers.js with npm, once (480 MB)");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of FILES) copyFileSync(join(root, FOLDER, name), join(folder, name));
  // Without the packages' own scripts: onnxruntime's would fetch NVIDIA's libraries from elsewhere.
  const quiet = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
  await show("npm", ["install", ...quiet], { cwd: folder });
  writeStamp(stamp, hash);
  return packages;
}
