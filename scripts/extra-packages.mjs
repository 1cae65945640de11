/**
 * Installs npm packages that few people need in the cache folder, so that everyone else's installation stays small.
 * Only Node's own modules here.
 */
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cache, root } from "./cache.mjs";
import { say, show } from "./run.mjs";
import { hashOf, isFresh, writeStamp } from "./stamp.mjs";

const FILES = ["package.json", "package-lock.json"];

/**
 * @typedef {object} Extra
 * @property {string} from the repository's folder with their package.json and package-lock.json
 * @property {string} to the name of their folder in the cache
 * @property {string} words what a person reads while they are installed
 * @property {string[]} [npm] further arguments of npm, such as a package that only this platform needs
 * @property {(packages: string) => void} [afterwards] what else is to be done, once
 */

/** The folder with these packages, installed again when the lock file changes. @param {Extra} extra */
export async function extraPackages({ from, to, words, npm = [], afterwards }) {
  const folder = join(cache, to);
  const packages = join(folder, "node_modules");
  const stamp = join(folder, "stamp");
  const hash = hashOf(
    FILES.map((name) => `${from}/${name}`),
    npm,
  );
  if (isFresh(stamp, hash, [packages])) return packages;
  say(words);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of FILES) copyFileSync(join(root, from, name), join(folder, name));
  // Without the packages' own scripts, some of which would fetch more from elsewhere.
  await show("npm", ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", ...npm], { cwd: folder });
  afterwards?.(packages);
  writeStamp(stamp, hash);
  return packages;
}
