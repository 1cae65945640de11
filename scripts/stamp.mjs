/**
 * Hashes the contents of the files and folders that a build reads, and says whether the build is still fresh.
 * Contents rather than times: a fresh clone has new times and the same contents.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { root } from "./cache.mjs";

/** @param {string} path @returns {string[]} */
function filesUnder(path) {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesUnder(join(path, name)));
}

/**
 * @param {string[]} paths relative to the repository, files or folders
 * @param {string[]} [words] anything else that the result depends on
 */
export function hashOf(paths, words = []) {
  const hash = createHash("sha256");
  for (const file of paths.flatMap((path) => filesUnder(resolve(root, path)))) {
    hash.update(relative(root, file)).update("\0").update(readFileSync(file)).update("\0");
  }
  for (const word of words) hash.update(word).update("\0");
  return hash.digest("hex");
}

/** @param {string} stampFile @param {string} hash @param {string[]} outputs absolute */
export function isFresh(stampFile, hash, outputs) {
  if (!outputs.every((output) => existsSync(output)) || !existsSync(stampFile)) return false;
  return readFileSync(stampFile, "utf8").trim() === hash;
}

/** @param {string} stampFile @param {string} hash */
export function writeStamp(stampFile, hash) {
  writeFileSync(stampFile, `${hash}\n`);
}
