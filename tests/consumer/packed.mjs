/** The archive that `npm pack` makes, installed in folders of somebody else. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../scripts/cache.mjs";

/** @param {string} cwd @param {string} command @param {string[]} args */
export function run(cwd, command, args) {
  const result = spawnSync(command, args, { cwd, encoding: "utf8", shell: process.platform === "win32" });
  assert.equal(result.status, 0, `${command} ${args.join(" ")}\n${result.error ?? ""}${result.stdout}${result.stderr}`);
  return result.stdout;
}

/** A folder that is removed at the end of this process. */
export function temporary() {
  const folder = mkdtempSync(join(tmpdir(), "webtune-consumer-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** @type {string | undefined} */
let archive;

/** The archive's path; it is packed once. */
export function packed() {
  if (archive) return archive;
  const folder = temporary();
  run(root, "npm", ["pack", "--pack-destination", folder, "--loglevel", "error"]);
  const name = readdirSync(folder).find((file) => file.endsWith(".tgz")) ?? assert.fail("npm pack left no archive");
  archive = join(folder, name);
  return archive;
}

/** The same version as here, so that npm's cache has it. @param {string} name */
export const versionOf = (name) =>
  JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8")).version;

/**
 * Installs the archive, and other packages.
 * @param {string} folder it is made if it isn't there @param {Record<string, string>} [others] versions by name
 */
export function install(folder, others = {}) {
  mkdirSync(folder, { recursive: true });
  const dependencies = { webtune: `file:${packed()}`, ...others };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }));
  run(folder, "npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel", "error"]);
}
