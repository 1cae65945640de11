/**
 * Measures one workload in a process of its own, because a WebAssembly instance opens WebGPU once, and sends the result to the one that
 * started it.
 */
import { Calls } from "./calls.mjs";
import { installDawn, learnt, nextStep, startRun } from "./engine.mjs";

/**
 * @typedef {object} Job
 * @property {string} dawn the module's address
 * @property {import("../../../scripts/dawn.mjs").Adapter} adapter
 * @property {import("./workloads.mjs").Workload} [workload] without one only the adapter is looked for
 * @property {number} steps that are timed, after three others
 * @property {boolean} executes whether dispatches reach the adapter
 */
/** @typedef {{ name: string, isSoftware: boolean, storageBuffers: number, features: string[] }} AdapterInfo */

/** Steps before the first that is timed: the optimizer's moments exist from the second on, and the allocator's pages grow. */
const WARM_UP = 3;
/** Steps after which engines are compared: the second one has been through a backward pass and AdamW. */
const COMPARED = 2;

/** @param {number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** @param {any} gpu @param {Job["adapter"]} wanted @returns {Promise<AdapterInfo | undefined>} */
async function lookFor(gpu, wanted) {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return undefined;
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  return {
    name: [vendor, architecture, description || device].filter(Boolean).join(" "),
    isSoftware: wanted === "none" || isFallbackAdapter === true,
    storageBuffers: adapter.limits.maxStorageBuffersPerShaderStage,
    features: [...adapter.features].sort(),
  };
}

/** The largest difference of two lists over the largest number of the first. @param {Float32Array} a @param {Float32Array} b */
function apart(a, b) {
  let largest = 0;
  let difference = 0;
  for (const [index, value] of a.entries()) {
    largest = Math.max(largest, Math.abs(value));
    difference = Math.max(difference, Math.abs(value - /** @type {number} */ (b[index])));
  }
  return difference === 0 ? 0 : difference / largest;
}

/**
 * The losses and gradients of the same steps on the CPU engine, against those found.
 * @param {Job} job @param {number[]} losses @param {Record<string, Float32Array>} found
 */
async function compare({ workload, steps }, losses, found) {
  const { model } = await startRun("cpu", /** @type {any} */ (workload), WARM_UP + steps + 1);
  const expected = [];
  for (let step = 0; step < COMPARED; step += 1) expected.push((await nextStep(model)).loss);
  const gradients = Object.entries(await learnt(model)).filter(([name]) => name.startsWith("mean/"));
  model.free();
  if (gradients.length === 0) throw new Error("the CPU engine's state has no gradients to compare with");
  const each = gradients.map(([name, values]) => apart(values, found[name] ?? new Float32Array(values.length)));
  const loss = apart(Float32Array.from(expected), Float32Array.from(losses));
  return { cpu: { losses: expected, loss, gradients: Math.max(...each) } };
}

/** What was measured stays worth having. @param {unknown} error */
const uncompared = (error) => ({ uncompared: wordsOf(error) });

/** @param {any} error */
const wordsOf = (error) => String(error?.message ?? error).replace(/\s+/g, " ");

/** @param {Calls} calls @param {any} model */
async function timedKernels(calls, model) {
  if (!calls.executes || !calls.canTime) return undefined;
  calls.startTiming();
  await nextStep(model);
  return calls.stopTiming();
}

/** @param {Job} job */
async function measure(job) {
  const { workload, steps, executes, adapter } = job;
  const gpu = installDawn(await import(job.dawn), adapter);
  const info = await lookFor(gpu, adapter);
  if (!info || !workload) return { adapter: info };
  const calls = new Calls(globalThis);
  calls.executes = executes && adapter !== "none";
  const reset = () => calls.reset();
  // One more, for the kernels' times.
  const { device, model } = await startRun("webgpu", workload, WARM_UP + steps + 1);
  const first = await nextStep(model, reset);
  if (first.tokens !== workload.rows * workload.tokens) {
    throw new Error(`expected ${workload.rows * workload.tokens} tokens in a step, found ${first.tokens}`);
  }
  const pipelines = calls.pipelines;
  const losses = [first.loss];
  let state;
  while (losses.length < WARM_UP) {
    losses.push((await nextStep(model, reset)).loss);
    if (losses.length === COMPARED && calls.executes && workload.compared) state = await learnt(model);
  }
  /** @type {number[][]} */
  const times = [];
  for (let step = 0; step < steps; step += 1) {
    const { ms } = await nextStep(model, reset);
    times.push([ms, ms - calls.waited]);
  }
  const { counts, kernels } = calls;
  // New ones: what follows is not the step's, and already a question to the allocator runs what waited to be fused.
  calls.reset();
  const buffers = { engine: device.bufferBytes(), peak: calls.peakBytes };
  const kernelMs = await timedKernels(calls, model);
  model.free();
  return {
    adapter: info,
    executed: calls.executes,
    counts,
    pipelines,
    buffers,
    firstMs: first.ms,
    ms: calls.executes ? median(times.map(([ms = 0]) => ms)) : undefined,
    hostMs: median(times.map(([, host = 0]) => host)),
    kernels: [...kernels].map(([label, launches]) => ({ label, ...launches, ms: kernelMs?.get(label) })),
    losses: calls.executes ? losses.slice(0, COMPARED) : undefined,
    ...(state && (await compare(job, losses.slice(0, COMPARED), state).catch(uncompared))),
  };
}

// Nobody waits for the answer any more.
process.once("disconnect", () => process.exit(1));
const job = /** @type {Job} */ (JSON.parse(process.argv[2] ?? ""));
const answer = await measure(job).catch((error) => ({ error: wordsOf(error) }));
// Dawn's own threads would keep the process.
process.send?.(answer, () => process.exit(0));
