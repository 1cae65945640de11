/**
 * Measures how large a run's checkpoint is and how long the engine takes to make one, in a page on the CPU engine.
 *
 *   npm run bench:checkpoint -- [--steps 4] [--only WORDS]
 *
 * The models are those of `npm run bench:memory`. The share of a run's time is that of one checkpoint every 20 seconds.
 */
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { Failure, say, script } from "../scripts/run.mjs";
import { setup } from "../scripts/setup.mjs";
import { LORA, textsFor } from "./memory.mjs";
import { randomLlama } from "./support/random-llama.mjs";

const EVERY_SECONDS = 20;

/** @param {any} smollm where SmolLM2's shape is @returns {import("./memory.mjs").Row[]} */
const rowsOf = (smollm) => [
  {
    name: "MiniLM, LoRA r 8",
    task: "classification",
    model: undefined,
    storage: "f32",
    batch: 16,
    tokens: 64,
    options: { method: LORA, contrastive: false },
  },
  {
    name: "MiniLM, full",
    task: "classification",
    model: undefined,
    storage: "f32",
    batch: 16,
    tokens: 64,
    options: { method: { type: "full" }, contrastive: false },
  },
  {
    name: "SmolLM2-135M, LoRA r 8",
    task: "causal-lm",
    model: smollm,
    storage: "int8",
    batch: 2,
    tokens: 64,
    options: { method: { ...LORA, targetModules: "all-linear" }, fewShotExamples: 0, sampleTokens: 0 },
  },
];

script(import.meta.url, async () => {
  const text = /** @type {const} */ ({ type: "string" });
  const { steps = "4", only = "" } = parseArgs({ options: { steps: text, only: text } }).values;
  if (!/^[1-9]\d*$/.test(steps)) throw new Failure(`--steps: expected a whole number above 0, found ${steps}`);
  await setup({ browser: true });
  // Loaded after setup: it needs installed packages.
  const { openHarness } = await import("../scripts/browser.mjs");
  say("making a random model of SmolLM2-135M's shape, if there is none");
  const folder = randomLlama(join(tmpdir(), "webtune-bench", "SmolLM2-135M-random"));
  const mount = `model/${encodeURIComponent(basename(folder))}/`;
  const harness = await openHarness({ [`/${mount}`]: folder });
  try {
    process.stdout.write("| run | ms a step | checkpoint MiB | ms to make it | share of the time, every 20 s |\n");
    process.stdout.write("| --- | ---: | ---: | ---: | ---: |\n");
    for (const row of rowsOf({ url: mount }).filter(({ name }) => name.startsWith(only))) {
      const { task, storage, batch, tokens } = row;
      const model = row.model ?? { url: harness.modelUrl, name: harness.modelName };
      const options = { ...row.options, trainBatchSize: batch, maxLength: tokens, numTrainEpochs: 1 };
      const texts = textsFor(row, Number(steps));
      const job = { task, model, device: "cpu", storage, options, texts, steps: Number(steps), checkpoints: true };
      const found = await harness.run("trainSteps", job);
      if (found.checkpoints.length === 0) throw new Failure(`${row.name}: no checkpoint was written`);
      const { bytes, ms } = found.checkpoints.at(-1);
      const share = ms / (EVERY_SECONDS * 1000 + ms);
      const cells = [row.name, found.stepMs.at(-1).toFixed(0), (bytes / 2 ** 20).toFixed(1), ms.toFixed(0)];
      process.stdout.write(`| ${[...cells, `${(100 * share).toFixed(2)}%`].join(" | ")} |\n`);
    }
  } finally {
    await harness.close();
  }
});
