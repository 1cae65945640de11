/**
 * Enters: labelled examples on disk. Leaves: a folder with the adapter, the predictions and the measures of one run.
 * The published package does the work, in a headless Chromium: there is no second way of training.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./cache.mjs";
import { Failure, say, script } from "./run.mjs";
import { setup } from "./setup.mjs";

const BUILT_IN = join(root, "www/app/examples/support.jsonl");
const DEVICES = ["auto", "cpu", "webgpu"];
const REPOSITORY = /^[A-Za-z0-9][\w.-]*(\/[\w.-]+)?$/;

const USAGE =
  "npm run finetune -- [--train FILE] [--test FILE] [--model DIR|repository] [--hub-url URL] [--device auto|cpu|webgpu] [--seed N] [--options JSON|FILE] --out DIR";

/** npm changes to the repository's folder; paths are meant from where the person stands. */
const here = (/** @type {string} */ path) => resolve(process.env.INIT_CWD ?? process.cwd(), path);

/** @param {string} option @param {string} path */
function readable(option, path) {
  const file = here(path);
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) throw new Failure(`--${option}: there is no file ${path}`);
  return file;
}

/** @param {string} given */
function readOptions(given) {
  const inline = given.trimStart().startsWith("{");
  let options;
  try {
    options = JSON.parse(inline ? given : readFileSync(readable("options", given), "utf8"));
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(
      `--options: expected JSON, found ${inline ? given : `something else in ${given}`} (${/** @type {Error} */ (error).message})`,
    );
  }
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new Failure('--options: expected a JSON object, such as {"numTrainEpochs": 3}');
  }
  return options;
}

/** @param {string} given @param {string | undefined} hubUrl */
function readModel(given, hubUrl) {
  const folder = here(given);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    if (!existsSync(join(folder, "config.json"))) throw new Failure(`--model: ${given} holds no config.json`);
    return { folder };
  }
  if (!REPOSITORY.test(given)) throw new Failure(`--model: ${given} is neither a folder nor a repository's name`);
  return { repository: given, ...(hubUrl ? { hubUrl } : {}) };
}

/** @param {string[]} args */
export function readArguments(args) {
  let values;
  try {
    const text = /** @type {const} */ ({ type: "string" });
    ({ values } = parseArgs({
      args,
      options: {
        train: text,
        test: text,
        model: text,
        "hub-url": text,
        device: text,
        seed: text,
        options: text,
        out: text,
      },
    }));
  } catch (error) {
    throw new Failure(`${/** @type {Error} */ (error).message.split("\n")[0]}; usage: ${USAGE}`);
  }
  const { device = "auto", seed, out } = values;
  if (!out) throw new Failure(`--out is missing; usage: ${USAGE}`);
  if (!DEVICES.includes(device)) throw new Failure(`--device: expected one of ${DEVICES.join(", ")}, found ${device}`);
  if (seed !== undefined && !/^\d{1,15}$/.test(seed)) {
    throw new Failure(`--seed: expected a whole number of at most 15 digits, found ${seed}`);
  }
  if (values["hub-url"] !== undefined && (values.model === undefined || existsSync(here(values.model)))) {
    throw new Failure("--hub-url: expected a repository's name in --model, which is what it looks up");
  }
  const options = values.options === undefined ? {} : readOptions(values.options);
  return {
    train: values.train === undefined ? BUILT_IN : readable("train", values.train),
    test: values.test === undefined ? undefined : readable("test", values.test),
    model: values.model === undefined ? undefined : readModel(values.model, values["hub-url"]),
    device,
    options: seed === undefined ? options : { ...options, seed: Number(seed) },
    out: here(out),
  };
}

const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(1)}%`;

/** @param {any} event */
function tell(event) {
  if (event.type === "loaded") say(`${event.model.name}: ${event.model.parameters} parameters. ${event.device.reason}`);
  if (event.type === "started") {
    const { trainRows, validationRows, labels, totalSteps, epochs, head, warnings } = event;
    for (const warning of warnings) say(`note: ${warning}`);
    say(
      `${trainRows} rows train, ${validationRows} judge, ${labels.length} labels; ${totalSteps} steps in ${epochs} epochs, head ${head}`,
    );
  }
  if (event.type === "features" && event.done === event.total) say(`features of ${event.total} rows computed`);
  if (event.type === "probe") say(`before tuning: validation accuracy ${percent(event.validation.accuracy)}`);
  if (event.type === "step" && (event.step % 10 === 0 || event.step === event.totalSteps)) {
    say(`step ${event.step} of ${event.totalSteps}: loss ${event.loss.toFixed(4)}, ${Math.round(event.ms)} ms`);
  }
  if (event.type === "evaluation") {
    say(
      `epoch ${event.epoch}: validation accuracy ${percent(event.validation.accuracy)}${event.best ? ", the best so far" : ""}`,
    );
  }
  if (event.type === "testing") say(`testing on ${event.rows} rows`);
}

/** @param {number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  if (sorted.length === 0) return null;
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? 0) + upper) / 2;
}

/** @param {string} out @param {any} result */
function write(out, { device, seconds, stepMs, finished, evaluation, files, peakWasmBytes }) {
  const folder = join(out, "adapter");
  // Another head leaves other files: what an earlier run left would be taken for this one's.
  if (existsSync(join(folder, "adapter_config.json"))) rmSync(folder, { recursive: true });
  for (const { path, base64 } of files) {
    const file = join(folder, path);
    if (!file.startsWith(folder + sep)) throw new Failure(`adapter: the path ${path} leads out of its folder`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, Buffer.from(base64, "base64"));
  }
  const { labels, baseline, tuned, rows } = evaluation;
  const lines = rows.map((/** @type {any} */ { text, label, predicted, logits }) =>
    JSON.stringify({ text, label, predicted, logits }),
  );
  writeFileSync(join(out, "predictions.jsonl"), lines.map((/** @type {string} */ line) => `${line}\n`).join(""));
  const scores = (/** @type {any} */ { accuracy, macroF1 }) => ({ accuracy, macroF1 });
  const metrics = {
    device,
    baseline: scores(baseline),
    tuned: scores(tuned),
    labels,
    trainLoss: finished.trainLoss,
    steps: finished.steps,
    seconds,
    msPerStep: median(stepMs),
    trainedParameters: finished.trainedParameters,
    totalParameters: finished.totalParameters,
    peakWasmBytes,
  };
  writeFileSync(join(out, "metrics.json"), `${JSON.stringify(metrics, null, 2)}\n`);
  say(`${finished.message}`);
  say(`accuracy ${percent(baseline.accuracy)} before tuning, ${percent(tuned.accuracy)} after; written to ${out}`);
}

script(import.meta.url, async () => {
  const { train, test, model, device, options, out } = readArguments(process.argv.slice(2));
  try {
    mkdirSync(out, { recursive: true });
  } catch (error) {
    throw new Failure(`--out: ${out} cannot be made: ${/** @type {Error} */ (error).message}`);
  }
  await setup({ browser: true });
  // Loaded after setup: it needs installed packages.
  const { openHarness } = await import("./browser.mjs");
  const folder = model && "folder" in model ? model.folder : undefined;
  const harness = await openHarness({
    "/train": train,
    ...(test ? { "/test": test } : {}),
    // The folder's own name is the model's name.
    ...(folder ? { [`/model/${basename(folder)}/`]: folder } : {}),
  });
  try {
    const result = await harness.run(
      "finetune",
      {
        model: folder
          ? { url: `model/${encodeURIComponent(basename(folder))}/` }
          : (model ?? { url: harness.modelUrl, name: harness.modelName }),
        device,
        options,
        train: { url: "train", name: basename(train) },
        ...(test ? { test: { url: "test", name: basename(test) } } : {}),
      },
      tell,
    );
    write(out, result);
  } finally {
    await harness.close();
  }
});
