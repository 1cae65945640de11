/**
 * Runs `npm run finetune` with arguments and gives the measures of that run.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/cache.mjs";
import { Failure } from "../../scripts/run.mjs";

/** A run in a process of its own; its metrics.json. @param {string} out @param {string[]} args @returns {Promise<any>} */
export async function finetune(out, args) {
  await new Promise((done, fail) => {
    const child = spawn(process.execPath, [join(root, "scripts/finetune.mjs"), ...args, "--out", out], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let last = "";
    child.stderr.on("data", (chunk) => {
      last = `${last}${chunk}`.slice(-2000);
    });
    child.once("error", fail);
    child.once("close", (code) =>
      code === 0
        ? done(undefined)
        : fail(new Failure(`finetune ${args.join(" ")} ended with code ${code}: ${last.trim()}`)),
    );
  });
  return metricsOf(out);
}

/** What a run has written. @param {string} out @returns {any} */
export function metricsOf(out) {
  return JSON.parse(readFileSync(join(out, "metrics.json"), "utf8"));
}
