/**
 * Measures the memory that training takes in a page and prints it next to its estimate.
 *
 *   npm run bench:memory -- [--stories DIR] [--device cpu|webgpu] [--steps 3] [--only WORDS]
 *
 * MiniLM is the default model; SmolLM2-135M is a random model of that shape, which this makes in the system's folder for temporary files.
 * Each row is a page of its own, because a WebAssembly memory never shrinks. `--only` keeps the rows that begin with the words.
 */
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Failure, say, script } from "../scripts/run.mjs";
import { setup } from "../scripts/setup.mjs";
import { randomLlama } from "./support/random-llama.mjs";
import { stories } from "./support/stories.mjs";

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {"classification" | "causal-lm"} task
 * @property {any} model undefined for the default one
 * @property {string} storage
 * @property {number} batch
 * @property {number} tokens
 * @property {any} options
 */

export const LORA = { type: "lora", r: 8 };

/**
 * Every storage, without and with gradient checkpointing.
 * @param {Omit<Row, "storage">} what
 * @returns {Row[]}
 */
function each({ options, ...what }) {
  return ["f32", "f16", "int8", "int4"].flatMap((storage) =>
    [false, true].map((gradientCheckpointing) => ({
      ...what,
      storage,
      options: {
        ...options,
        trainBatchSize: what.batch,
        maxLength: what.tokens,
        numTrainEpochs: 1,
        earlyStoppingPatience: 0,
        gradientCheckpointing,
      },
    })),
  );
}

/** @param {any} model */
const minilm = (model) =>
  each({
    name: "MiniLM",
    task: "classification",
    model,
    batch: 16,
    tokens: 64,
    options: { method: LORA, contrastive: false },
  });

/** @param {string} name @param {any} model @param {number} batch @param {number} tokens */
function language(name, model, batch, tokens) {
  const options = { method: { ...LORA, targetModules: "all-linear" }, fewShotExamples: 0, sampleTokens: 0 };
  return each({ name, task: "causal-lm", model, batch, tokens, options });
}

/**
 * Texts that fill this many batches. A token has at most some characters; what is too much is never reached.
 * @param {Row} row @param {number} steps
 */
export function textsFor({ task, batch, tokens }, steps) {
  const rows = batch * (steps + 1) + 4;
  const all = stories(rows * tokens * 8).map(({ text }) => text);
  // a language model's plain text is cut into blocks, a classifier's texts are cut at their ends
  if (task === "causal-lm") return [all.join(" ")];
  const texts = [];
  for (let row = 0; row < rows; row += 1) texts.push(`${row} ${all[row % all.length]} ${all[(row + 1) % all.length]}`);
  return texts;
}

const mib = (/** @type {number} */ bytes) => (bytes / 2 ** 20).toFixed(0);

/** @param {Row} row @param {any} found */
function cells({ name, storage, batch, tokens, options }, found) {
  const [first, ...others] = found.stepMs;
  const sorted = others.sort((/** @type {number} */ a, /** @type {number} */ b) => a - b);
  const median = sorted[sorted.length >> 1];
  const losses = found.losses.map((/** @type {number} */ loss) => loss.toFixed(3));
  return [
    name,
    `${batch} x ${tokens}`,
    storage,
    options.gradientCheckpointing ? "on" : "off",
    mib(found.estimate),
    mib(found.loadedBytes),
    mib(found.wasmBytes),
    found.bufferBytes > 0 ? mib(found.bufferBytes) : "-",
    (found.loadMs / 1000).toFixed(1),
    first.toFixed(0),
    median === undefined ? "-" : median.toFixed(0),
    losses.join(", "),
  ];
}

const HEAD = [
  "| model | rows x tokens | storage | checkpointing | estimated MiB | WebAssembly MiB, loaded | WebAssembly MiB, trained | GPU buffers MiB | seconds to load | ms, first step | ms a step | losses |",
  "| --- | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
];

function readArguments() {
  const text = /** @type {const} */ ({ type: "string" });
  let values;
  try {
    ({ values } = parseArgs({ options: { stories: text, device: text, steps: text, only: text } }));
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw new Failure(`${message}; expected [--stories DIR] [--device cpu|webgpu] [--steps N] [--only WORDS]`);
  }
  const { device = "cpu", steps = "3", only = "" } = values;
  if (!["cpu", "webgpu"].includes(device)) throw new Failure(`--device: expected cpu or webgpu, found ${device}`);
  if (!/^[1-9]\d*$/.test(steps)) throw new Failure(`--steps: expected a whole number above 0, found ${steps}`);
  const folder = values.stories && resolve(process.env.INIT_CWD ?? process.cwd(), values.stories);
  return { device, steps: Number(steps), only, folder };
}

script(import.meta.url, async () => {
  const { device, steps, only, folder } = readArguments();
  await setup({ browser: true });
  // Loaded after setup: it needs installed packages.
  const { openHarness } = await import("../scripts/browser.mjs");
  say("making a random model of SmolLM2-135M's shape, if there is none");
  const smollm = randomLlama(join(tmpdir(), "webtune-bench", "SmolLM2-135M-random"));
  const mount = (/** @type {string} */ path) => `model/${encodeURIComponent(basename(path))}/`;
  const folders = [smollm, ...(folder ? [folder] : [])];
  const rows = [
    ...minilm(undefined),
    ...(folder ? language("stories260K", { url: mount(folder) }, 8, 128) : []),
    ...language("SmolLM2-135M", { url: mount(smollm) }, 2, 64),
  ];
  const words = (/** @type {Row} */ { name, storage, options }) =>
    `${name} ${storage}${options.gradientCheckpointing ? " checkpointing" : ""}`;
  const wanted = rows.filter((row) => words(row).startsWith(only));
  if (wanted.length === 0) throw new Failure(`--only: expected the beginning of one of ${rows.map(words).join(", ")}`);
  const harness = await openHarness(Object.fromEntries(folders.map((path) => [`/${mount(path)}`, path])));
  try {
    process.stdout.write(`${HEAD.join("\n")}\n`);
    for (const row of wanted) {
      const { task, storage, options } = row;
      const model = row.model ?? { url: harness.modelUrl, name: harness.modelName };
      const texts = textsFor(row, steps);
      try {
        const found = await harness.run("trainSteps", { task, model, device, storage, options, texts, steps });
        process.stdout.write(`| ${cells(row, found).join(" | ")} |\n`);
      } catch (error) {
        // one storage that an adapter refuses, or one run that does not fit, says nothing of the others
        if (!(error instanceof Failure)) throw error;
        say(`${words(row)}: ${error.message}`);
        process.exitCode = 1;
      }
    }
  } finally {
    await harness.close();
  }
});
