/**
 * Starts the process that measures a workload, on the adapter that is asked for.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { dawnEnv } from "../../../scripts/dawn.mjs";
import { Failure } from "../../../scripts/run.mjs";

const CHILD = fileURLToPath(new URL("./child.mjs", import.meta.url));

/** @typedef {import("./child.mjs").Job} Job */
/** @typedef {import("./child.mjs").AdapterInfo} AdapterInfo */

/**
 * @param {Job} job
 * @returns {Promise<any>} what it found
 * @throws Failure with the process's words
 */
export function measured(job) {
  return new Promise((done, fail) => {
    // Who only looks for an adapter expects that there may be none, of which Dawn warns.
    const words = job.workload ? 2 : "ignore";
    const options = { env: dawnEnv(job.adapter), stdio: /** @type {any} */ (["ignore", words, words, "ipc"]) };
    const child = fork(CHILD, [JSON.stringify(job)], options);
    child.once("message", (/** @type {any} */ answer) =>
      answer.error === undefined ? done(answer) : fail(new Failure(answer.error)),
    );
    child.once("error", (error) => fail(new Failure(`node could not be started: ${error.message}`)));
    child.once("close", (code, signal) => fail(new Failure(`the process ended with ${signal ?? `code ${code}`}`)));
  });
}

/**
 * The adapter that is there, by what a person asked for; `auto` takes a graphics card, or else the software adapter.
 * @param {string} dawn the module's address
 * @param {Job["adapter"] | "auto"} wanted
 * @returns {Promise<{ adapter: Job["adapter"], info: AdapterInfo }>}
 */
export async function findAdapter(dawn, wanted) {
  const tried = wanted === "auto" ? /** @type {const} */ (["hardware", "software"]) : [wanted];
  for (const adapter of tried) {
    const { adapter: info } = await measured({ dawn, adapter, steps: 0, executes: false });
    if (info && (adapter !== "hardware" || !info.isSoftware)) return { adapter, info };
  }
  throw new Failure(
    wanted === "hardware"
      ? "no graphics card was found: expected a driver for Vulkan, Metal or Direct3D 12; --adapter software needs none"
      : `Dawn found no adapter (${tried.join(", ")})`,
  );
}
