/**
 * Times whole LoRA steps of a random model and products of matrices, in turns so that both see the same machine.
 */

/**
 * @typedef {object} Plan
 * @property {number} steps timed optimiser steps in each round
 * @property {{ m: number, k: number, n: number, count: number }} matmul `count` products [m, k] x [k, n] make one timing
 * @property {number} rounds each times the products once and then the steps
 */
/** @typedef {{ device: "cpu" | "webgpu", shape: Record<string, number>, plan: Plan }} Job */
/**
 * @typedef {object} Timing
 * @property {{ isFallback: boolean } | undefined} adapter the graphics card's, if it is used
 * @property {number} flopsPerStep floating-point operations of one step
 * @property {number[]} stepMs one entry per timed step, `rounds * steps` in all
 * @property {number[]} matmulMs one entry per round, each the time of all `count` products
 */

/** The module with the crate's feature `bench`, which most checkouts have never built: nothing is known of its types. */
const MODULE = new URL("./wasm/webtune.js", import.meta.url).href;

/** Bytes that the engine may take: as much as a WebAssembly memory holds. */
const MEMORY_LIMIT = 3584 * 2 ** 20;

/** @param {() => Promise<unknown>} work @returns {Promise<number>} milliseconds */
async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function findAdapter() {
  const adapter = await /** @type {any} */ (navigator).gpu?.requestAdapter();
  if (!adapter) {
    // the engine's own code, which the script goes by
    throw Object.assign(new Error("WebGPU is not available: there is no adapter"), { code: "noWebgpu" });
  }
  return { isFallback: adapter.info.isFallbackAdapter === true };
}

/** @param {Job} job @returns {Promise<Timing>} */
async function run({ device, shape, plan: { steps, matmul, rounds } }) {
  const adapter = device === "webgpu" ? await findAdapter() : undefined;
  const { default: init, Benchmark, openDevice } = await import(MODULE);
  await init();
  const benchmark = new Benchmark(await openDevice(device, MEMORY_LIMIT));
  await benchmark.prepare(shape);
  const { m, k, n, count } = matmul;
  // the first ones compile shaders and allocate
  await benchmark.step();
  await benchmark.matmul(m, k, n, count);
  const stepMs = [];
  const matmulMs = [];
  for (let round = 1; round <= rounds; round += 1) {
    matmulMs.push(await timed(() => benchmark.matmul(m, k, n, count)));
    for (let step = 0; step < steps; step += 1) stepMs.push(await timed(() => benchmark.step()));
  }
  return { adapter, flopsPerStep: benchmark.flops(), stepMs, matmulMs };
}

addEventListener("message", async (/** @type {MessageEvent<Job>} */ { data }) => {
  try {
    postMessage({ timing: await run(data) });
  } catch (error) {
    const { code, message } = /** @type {{ code?: string, message?: string }} */ (error);
    postMessage({ error: { code, message: message ?? String(error) } });
  }
});
