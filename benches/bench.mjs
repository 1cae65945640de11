/**
 * Measures a LoRA step against the same page's matrix product, as a table or as JSON.
 * `npm run bench [-- --json]`. Both are timed in the same page, turn by turn, so that they see the same machine. The engine is
 * the one that people get, built once more with the class that has these steps.
 */
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { ensureWasm, sizesOf } from "../scripts/build-wasm.mjs";
import { root } from "../scripts/cache.mjs";
import { Failure, say, script } from "../scripts/run.mjs";
import { setup } from "../scripts/setup.mjs";
import { median } from "./support/median.mjs";

const MINILM = {
  name: "MiniLM, batch 16, 64 tokens, r 8 on query and value",
  shape: {
    layers: 6,
    hiddenSize: 384,
    heads: 12,
    intermediateSize: 1536,
    vocabSize: 30522,
    batch: 16,
    tokens: 64,
    r: 8,
  },
};
// A software adapter needs minutes for a step of the other one.
const SMALL = {
  name: "small (2 layers, 64 wide, 2 heads, feed-forward 128, 1,000 words), batch 4, 16 tokens, r 8 on query and value",
  shape: { layers: 2, hiddenSize: 64, heads: 2, intermediateSize: 128, vocabSize: 1000, batch: 4, tokens: 16, r: 8 },
};

/** Guesses that only decide how many products make one timing of about half a second. In GFLOP/s. */
const EXPECTED = { cpu: 20, software: 0.3, hardware: 2000 };

/** The products that a step spends its time on, and one that every engine likes: the best of them is the ceiling. */
function products(/** @type {typeof MINILM.shape} */ { batch, tokens, hiddenSize, intermediateSize }) {
  const rows = batch * tokens;
  return [
    [rows, hiddenSize, intermediateSize],
    [rows, intermediateSize, hiddenSize],
    [rows, hiddenSize, hiddenSize],
    [512, 384, 384],
  ].map(([m = 0, k = 0, n = 0]) => ({ m, k, n }));
}

/**
 * @param {import("../scripts/browser.mjs").Harness} harness
 * @param {"cpu" | "webgpu"} device
 * @param {typeof MINILM} subject
 * @param {number} expected GFLOP/s
 */
async function measure(harness, device, { name, shape }, expected) {
  const plans = products(shape).map(({ m, k, n }) => {
    const count = Math.max(1, Math.round((expected * 1e9 * 0.5) / (2 * m * k * n)));
    return { steps: 2, rounds: 3, matmul: { m, k, n, count } };
  });
  const words = (/** @type {{ m: number, k: number, n: number }} */ { m, k, n }) => `${m}x${k}x${n}`;
  const announce = (/** @type {typeof plans[0]["matmul"]} */ matmul) =>
    say(`${device}, ${name}: steps and ${words(matmul)} products in turns`);
  const results = await harness.run("benchmark", { device, shape, plans }, announce, "/bench/");
  let best = { rate: 0, words: "" };
  plans.forEach(({ matmul }, index) => {
    const flop = 2 * matmul.m * matmul.k * matmul.n * matmul.count;
    const rate = flop / (median(results[index].matmulMs) * 1e6);
    if (rate > best.rate) best = { rate, words: words(matmul) };
  });
  const { flopsPerStep: flops, adapter } = results[0];
  const steps = results.flatMap((/** @type {{ stepMs: number[] }} */ { stepMs }) => stepMs);
  const msPerStep = median(steps);
  const gflops = flops / (msPerStep * 1e6);
  say(`${device}: the fastest product was ${best.words}`);
  return {
    adapter,
    figures: {
      msPerStep,
      tokensPerSecond: (shape.batch * shape.tokens * 1000) / msPerStep,
      gflops,
      matmulGflops: best.rate,
      share: gflops / best.rate,
    },
  };
}

/** WebGPU at the size that its adapter can bear; undefined if there is none. @param {import("../scripts/browser.mjs").Harness} harness */
async function measureWebgpu(harness) {
  let small;
  try {
    small = await measure(harness, "webgpu", SMALL, EXPECTED.software);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "noWebgpu") throw error;
    say(`webgpu is left out: ${error.message}`);
    return undefined;
  }
  if (small.adapter?.isFallback !== false) return { name: SMALL.name, figures: small.figures };
  return { name: MINILM.name, figures: (await measure(harness, "webgpu", MINILM, EXPECTED.hardware)).figures };
}

async function bench() {
  await setup({ browser: true });
  // Loaded after setup: it needs installed packages.
  const { openHarness } = await import("../scripts/browser.mjs");
  await ensureWasm("benchmarks");
  const harness = await openHarness({
    "/train": join(root, "www/app/examples/support.jsonl"),
    "/bench/": join(root, "benches/support/page"),
  });
  try {
    say("from a page's load to its first step, built-in examples and default model");
    const loadToFirstStepMs = await harness.run("firstStep", {
      model: { url: harness.modelUrl },
      device: "cpu",
      options: {},
      train: { url: "train", name: "support.jsonl" },
    });
    const cpu = await measure(harness, "cpu", MINILM, EXPECTED.cpu);
    const webgpu = await measureWebgpu(harness);
    const sizes = Object.fromEntries(
      (await ensureWasm()).map(({ outDir, name }) => [basename(outDir), sizesOf(join(outDir, `${name}_bg.wasm`))]),
    );
    return {
      shapes: { cpu: MINILM.name, webgpu: webgpu?.name },
      cpu: cpu.figures,
      webgpu: webgpu?.figures ?? null,
      sizes,
      loadToFirstStepMs,
    };
  } finally {
    await harness.close();
  }
}

/** @param {Awaited<ReturnType<typeof bench>>} result */
function table({ shapes, cpu, webgpu, sizes, loadToFirstStepMs }) {
  const row = (/** @type {string} */ engine, /** @type {string | undefined} */ shape, /** @type {typeof cpu} */ f) =>
    `| ${engine} | ${shape} | ${f.msPerStep.toFixed(0)} | ${f.tokensPerSecond.toFixed(0)} | ${f.gflops.toFixed(2)} | ${f.matmulGflops.toFixed(2)} | ${(100 * f.share).toFixed(0)}% |`;
  return [
    "| engine | shape | ms per step | tokens/s | GFLOP/s | matmul GFLOP/s | share |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    row("CPU", shapes.cpu, cpu),
    ...(webgpu ? [row("WebGPU", shapes.webgpu, webgpu)] : []),
    "",
    ...Object.entries(sizes).map(
      ([module, { wasmBytes, wasmGzipBytes }]) =>
        `WebAssembly module ${module}: ${wasmBytes} bytes, ${wasmGzipBytes} with gzip.`,
    ),
    `From page load to first step: ${(loadToFirstStepMs / 1000).toFixed(1)} s.`,
  ].join("\n");
}

script(import.meta.url, async () => {
  let json;
  try {
    ({ json } = parseArgs({ options: { json: { type: "boolean", default: false } } }).values);
  } catch (error) {
    throw new Failure(`${/** @type {Error} */ (error).message}; the only option is --json`);
  }
  const result = await bench();
  const { shapes: _, ...figures } = result;
  process.stdout.write(`${json ? JSON.stringify(figures) : table(result)}\n`);
});
