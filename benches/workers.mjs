/**
 * Times training steps of the CPU engine by several workers.
 *
 *   npm run bench:workers -- [--workers 1,2] [--rounds 3] [--steps 4] [--only WORDS]
 *
 * The numbers of workers take turns, so that they see the same machine. MiniLM is the default model; SmolLM2-135M is a random model of that shape,
 * which this makes in the system's folder for temporary files. `python benches/peer.py --threads 1,2 --only "MiniLM, 16 x 64"` times the same steps
 * in PyTorch.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Failure, say, script } from "../scripts/run.mjs";
import { setup } from "../scripts/setup.mjs";
import { LORA, textsFor } from "./memory.mjs";
import { median } from "./support/median.mjs";
import { randomLlama } from "./support/random-llama.mjs";

const EACH = { numTrainEpochs: 1, earlyStoppingPatience: 0, gradientCheckpointing: false };

/** @typedef {import("./memory.mjs").Row} Row */

/** @param {any} smollm @returns {Row[]} */
const subjects = (smollm) => [
  {
    name: "MiniLM",
    task: "classification",
    model: undefined,
    storage: "f32",
    batch: 16,
    tokens: 64,
    options: { ...EACH, method: LORA, contrastive: false, headInit: "random" },
  },
  {
    name: "SmolLM2-135M",
    task: "causal-lm",
    model: smollm,
    storage: "f32",
    batch: 4,
    tokens: 256,
    options: { ...EACH, method: { ...LORA, targetModules: "all-linear" }, fewShotExamples: 0, sampleTokens: 0 },
  },
];

const WHOLE = /^[1-9]\d*$/;

function readArguments() {
  const text = /** @type {const} */ ({ type: "string" });
  let values;
  try {
    ({ values } = parseArgs({ options: { workers: text, rounds: text, steps: text, only: text } }));
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw new Failure(`${message}; expected [--workers 1,2] [--rounds N] [--steps N] [--only WORDS]`);
  }
  const { workers = "1,2", rounds = "3", steps = "4", only = "" } = values;
  for (const [name, number] of [
    ...workers.split(",").map((count) => ["workers", count]),
    ["rounds", rounds],
    ["steps", steps],
  ])
    if (!WHOLE.test(`${number}`)) throw new Failure(`--${name}: expected a whole number above 0, found ${number}`);
  return { counts: workers.split(",").map(Number), rounds: Number(rounds), steps: Number(steps), only };
}

script(import.meta.url, async () => {
  const { counts, rounds, steps, only } = readArguments();
  await setup({ browser: true });
  // Loaded after setup: it needs installed packages.
  const { openHarness } = await import("../scripts/browser.mjs");
  const folder = randomLlama(join(tmpdir(), "webtune-bench", "SmolLM2-135M-random"));
  const wanted = subjects({ url: "smollm/" }).filter(({ name }) => name.startsWith(only));
  const harness = await openHarness({ "/smollm/": folder });
  const head = [
    "model",
    "rows x tokens",
    "workers",
    "ms a step",
    "tokens/s",
    "times as fast",
    "seconds to load",
    "last loss",
  ];
  process.stdout.write(`| ${head.join(" | ")} |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n`);
  try {
    for (const row of wanted) {
      const { name, task, storage, options: given, batch, tokens } = row;
      const model = row.model ?? { url: harness.modelUrl, name: harness.modelName };
      const options = { ...given, trainBatchSize: batch, maxLength: tokens };
      const texts = textsFor(row, steps);
      /** @type {Map<number, { ms: number[], load: number[], loss: number }>} */
      const found = new Map(counts.map((count) => [count, { ms: [], load: [], loss: Number.NaN }]));
      for (let round = 1; round <= rounds; round += 1) {
        for (const [workers, times] of found) {
          say(`${name}: round ${round} with ${workers}`);
          const job = { task, model, device: "cpu", storage, options, texts, steps, workers };
          const { stepMs, loadMs, losses } = await harness.run("trainSteps", job);
          // The first one warms up.
          times.ms.push(...stepMs.slice(1));
          times.load.push(loadMs);
          times.loss = losses.at(-1);
        }
      }
      const alone = median(found.get(counts[0] ?? 1)?.ms ?? []);
      for (const [workers, { ms, load, loss }] of found) {
        const each = median(ms);
        const cells = [
          name,
          `${batch} x ${tokens}`,
          workers,
          each.toFixed(0),
          ((batch * tokens * 1000) / each).toFixed(0),
          (alone / each).toFixed(2),
          (median(load) / 1000).toFixed(1),
          loss,
        ];
        process.stdout.write(`| ${cells.join(" | ")} |\n`);
      }
    }
  } finally {
    await harness.close();
  }
});
