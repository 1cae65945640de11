/**
 * Counts and times what a training step asks of WebGPU: the module that people download, in Node, on Dawn, which is Chromium's WebGPU.
 *
 *   npm run bench:gpu [-- --only WORDS] [--steps 10] [--json FILE] [--adapter auto|hardware|software|none] [--count] [--all] [--peer PYTHON] [--built]
 *
 * Counts follow from the adapter's limits and features, times from its speed. `--only` keeps the steps whose names contain the words. `software`
 * is Chromium's SwiftShader; `none` computes nothing and has only what every WebGPU has; `auto` takes a graphics card if there is one.
 * A software adapter computes the tiny step alone; of the others it is given all but the dispatches, or nothing. `--all` computes every step (hours),
 * `--count` gives the dispatches of none. `--peer` times the same steps in PyTorch and PEFT. `--built` takes the module in
 * www/lib/wasm as it is and needs nothing but Node and, in the cache folder, Dawn: on a machine with a card
 *
 *   node benches/gpu.mjs --built --adapter hardware --peer python3 --json gpu.json
 *
 * Losses and gradients are compared with the CPU engine's; the command fails if they are apart by more than the parity tests allow.
 *
 * The JSON is { adapter: { name, isSoftware, storageBuffers, features }, results, skipped: [{ name, reason }] }, and each of results
 *   name
 *   executed   whether the adapter computed it; without, there are no times but the program's, and nothing that was computed
 *   counts     calls of one step: dispatches, pipelines, submits, writes, copies, passes, bindGroups, buffers, reads
 *   pipelines  made before the first step ended, those of the untuned model's scores included
 *   buffers    bytes: `engine` as its allocator knows them, `peak` of those that nobody had destroyed and no garbage collection found
 *   firstMs, ms, hostMs   the first step; the median of the timed ones; the part of it in which no answer was awaited
 *   kernels    [{ label, count, workgroups, ms }] of one step; ms where the adapter has timestamps, each kernel in a pass of its own
 *   losses, cpu  losses of two steps; the CPU engine's, and the largest differences of losses and of mean gradients over the largest value
 *   uncompared   why the CPU engine could not do the same
 *   peerMs     PyTorch's median, float32 without TF32
 */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ensureWasm } from "../scripts/build-wasm.mjs";
import { root } from "../scripts/cache.mjs";
import { ensureDawn } from "../scripts/dawn.mjs";
import { Failure, say, script } from "../scripts/run.mjs";
import { setup } from "../scripts/setup.mjs";
import { findAdapter, measured } from "./support/dawn/measure.mjs";
import { countTable, kernelTables, timeTable } from "./support/dawn/table.mjs";
import { WORKLOADS } from "./support/dawn/workloads.mjs";

/** The limit of the parity tests. */
const LIMIT = 1e-4;
const ADAPTERS = /** @type {const} */ (["auto", "hardware", "software", "none"]);

function readArguments() {
  const text = /** @type {const} */ ({ type: "string" });
  const flag = /** @type {const} */ ({ type: "boolean", default: false });
  let values;
  try {
    const options = {
      only: text,
      steps: text,
      json: text,
      adapter: text,
      peer: text,
      count: flag,
      all: flag,
      built: flag,
    };
    ({ values } = parseArgs({ options }));
  } catch (error) {
    throw new Failure(`${/** @type {Error} */ (error).message}; benches/gpu.mjs says which options there are`);
  }
  const { only = "", steps = "10", adapter: word = "auto", json, peer, count, all, built } = values;
  const adapter = ADAPTERS.find((one) => one === word);
  if (!adapter) throw new Failure(`--adapter: expected one of ${ADAPTERS.join(", ")}, found ${word}`);
  if (!/^[1-9]\d*$/.test(steps)) throw new Failure(`--steps: expected a whole number above 0, found ${steps}`);
  if (all && count) throw new Failure("--all computes every step and --count none: give one of them");
  const workloads = WORKLOADS.filter(({ name }) => name.includes(only));
  if (workloads.length === 0) {
    throw new Failure(`--only: expected a part of one of ${WORKLOADS.map(({ name }) => `"${name}"`).join(", ")}`);
  }
  const file = json && resolve(process.env.INIT_CWD ?? process.cwd(), json);
  return { workloads, steps: Number(steps), adapter, json: file, peer, count, all, built };
}

/** PyTorch's milliseconds by name; undefined where it cannot run. @param {string} python @param {string[]} names */
function peerTimes(python, names) {
  say(`timing ${names.length} steps in PyTorch`);
  const args = [join(root, "benches/peer.py"), ...names.flatMap((name) => ["--only", name])];
  const { status, stdout, stderr, error } = spawnSync(python, args, { encoding: "utf8" });
  if (status !== 0) {
    const words = error?.message ?? stderr.trim().split("\n").at(-1);
    say(`${python} benches/peer.py cannot be compared with: ${words}`);
    return undefined;
  }
  process.stdout.write(`${stdout}\n`);
  const rows = stdout.matchAll(/^\| (.+?) \| ([\d.]+) \|/gm);
  return new Map([...rows].map(([, name = "", time]) => [name, Number(time)]));
}

/**
 * What is done with a workload: whether the adapter computes it, or why it is left out.
 * @param {import("./support/dawn/workloads.mjs").Workload} workload
 * @param {{ info: import("./support/dawn/measure.mjs").AdapterInfo, count: boolean, all: boolean }} given
 * @returns {{ executes: boolean } | { reason: string }}
 */
function planned({ software, storage }, { info, count, all }) {
  if (storage === "f16" && !info.features.includes("shader-f16")) return { reason: "the adapter lacks shader-f16" };
  if (count) return { executes: false };
  if (!info.isSoftware || all) return { executes: true };
  if (software === "skip") return { reason: "a software adapter takes too long; --count counts it, --all computes it" };
  return { executes: software === "run" };
}

/** The largest difference from the CPU engine; NaN counts as one. @param {any[]} results */
function checkParity(results) {
  const far = results.find(({ cpu }) => cpu && !(cpu.loss <= LIMIT && cpu.gradients <= LIMIT));
  if (!far) return;
  const { loss, gradients } = far.cpu;
  throw new Failure(
    `${far.name}: expected losses and gradients within ${LIMIT} of the CPU engine's, found ${loss} and ${gradients}`,
  );
}

async function prepare(/** @type {boolean} */ built) {
  if (!built) {
    await setup({ browser: true });
    await ensureWasm();
  } else if (!existsSync(join(root, "www/lib/wasm/webgpu/webtune.js"))) {
    throw new Failure("--built: expected the module in www/lib/wasm, found none; npm run build:wasm builds it");
  }
  return ensureDawn();
}

script(import.meta.url, async () => {
  const { workloads, steps, json, peer, count, all, built, ...given } = readArguments();
  const dawn = await prepare(built);
  const { adapter, info } = await findAdapter(dawn, given.adapter);
  process.stdout.write(`adapter: ${info.name}, ${info.storageBuffers} storage buffers a shader\n\n`);
  /** @type {any[]} */
  const results = [];
  /** @type {{ name: string, reason: string }[]} */
  const skipped = [];
  // After each step, so that a run that is cut off has told what it knew.
  const keep = () => json && writeFileSync(json, `${JSON.stringify({ adapter: info, results, skipped }, null, 2)}\n`);
  for (const workload of workloads) {
    const { name } = workload;
    const plan = planned(workload, { info, count: count || adapter === "none", all });
    if ("reason" in plan) {
      skipped.push({ name, reason: plan.reason });
      continue;
    }
    say(`${name}: ${plan.executes ? `${steps} steps` : "counting, without the dispatches"}`);
    try {
      const timed = plan.executes ? steps : 1;
      results.push({ name, ...(await measured({ dawn, adapter, workload, steps: timed, executes: plan.executes })) });
    } catch (error) {
      // A step that does not fit, or that this adapter cannot do, takes no other with it.
      skipped.push({ name, reason: /** @type {Error} */ (error).message });
    }
    keep();
  }
  const executed = results.filter((result) => result.executed).map(({ name }) => name);
  const times = peer === undefined || executed.length === 0 ? undefined : peerTimes(peer, executed);
  for (const result of results) result.peerMs = times?.get(result.name);
  const parts = [countTable(results), timeTable(results, times)];
  parts.push(...results.map(({ name, kernels }) => `${name}:\n\n${kernelTables(kernels)}`));
  const uncompared = results.filter((result) => result.uncompared);
  parts.push(...uncompared.map((result) => `Not compared with the CPU engine: ${result.name}: ${result.uncompared}`));
  parts.push(...skipped.map(({ name, reason }) => `Left out: ${name}: ${reason}`));
  process.stdout.write(`${parts.join("\n\n")}\n`);
  keep();
  checkParity(results);
});
