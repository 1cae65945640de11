/**
 * Runs the commands and the Python checks of this folder.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { buildEnv, root, targetDir } from "../../scripts/cache.mjs";

/** Where `cargo test` writes folders. */
export const written = join(targetDir, "tmp");

/**
 * What a command prints; fails with that where the command does.
 * @param {string} command
 * @param {string[]} args
 */
export async function run(command, args) {
  // Nothing is fetched; one thread each, because the models are tiny.
  const env = { ...buildEnv(), HF_HUB_OFFLINE: "1", TOKENIZERS_PARALLELISM: "false", OMP_NUM_THREADS: "1" };
  const child = spawn(command, args, { cwd: root, env });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  const code = await new Promise((done, fail) => {
    child.once("error", fail);
    child.once("close", done);
  });
  assert.equal(code, 0, output);
  return output;
}

/**
 * Runs a check of this folder, which ends with code 1 where something differs.
 * @param {string} python
 * @param {string} check
 * @param {string[]} args
 */
export async function passes(python, check, ...args) {
  const output = await run(python, [join(root, "tests/exports", check), ...args]);
  for (const [line] of output.matchAll(/^(.*largest difference|ok ).*$/gm)) console.log(line);
}

/** @param {string} folder @returns {string[]} */
export const casesIn = (folder) =>
  readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));
