/**
 * Enters: labelled examples on disk. Leaves: a folder with the adapter, the predictions and the measures of one run.
 * The published package does the work, in a headless Chromium: there is no second way of training.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./cache.mjs";
import { Failure, say, script } from "./run.mjs";
import { setup } from "./setup.mjs";

const BUILT_IN = join(root, "www/app/examples/support.jsonl");
const DEVICES = ["auto", "cpu", "webgpu"];
const REPOSITORY = /^[A-Za-z0-9][\w.-]*(\/[\w.-]+)?$/;

const USAGE =
  "npm run finetune -- [--train FILE] [--test FILE] [--model DIR|repository] [--hub-url URL] [--device auto|cpu|webgpu] [--seed N] [--seeds N] [--options JSON|FILE] --out DIR";

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
        seeds: text,
        options: text,
        out: text,
      },
    }));
  } catch (error) {
    throw new Failure(`${/** @type {Error} */ (error).message.split("\n")[0]}; usage: ${USAGE}`);
  }
  const { device = "auto", seed, seeds, out } = values;
  if (!out) throw new Failure(`--out is missing; usage: ${USAGE}`);
  if (!DEVICES.includes(device)) throw new Failure(`--device: expected one of ${DEVICES.join(", ")}, found ${device}`);
  if (seed !== undefined && !/^\d{1,15}$/.test(seed)) {
    throw new Failure(`--seed: expected a whole number of at most 15 digits, found ${seed}`);
  }
  if (seeds !== undefined && !/^[1-9]\d?$/.test(seeds)) {
    throw new Failure(`--seeds: expected a whole number from 1 to 99, found ${seeds}`);
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
    options: {
      ...options,
      ...(seed === undefined ? {} : { seed: Number(seed) }),
      ...(seeds === undefined ? {} : { seeds: Number(seeds) }),
    },
    out: here(out),
  };
}

const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(1)}%`;
const points = (/** @type {number} */ share) => `${share < 0 ? "" : "+"}${(100 * share).toFixed(1)}`;

/** @type {Record<string, string>} */
const BASELINES = { zeroShot: "zero-shot", centroid: "nearest centroid", probe: "fitted head" };

/** @param {any} baselines */
const wordsOf = (baselines) =>
  Object.entries(BASELINES)
    .map(([key, words]) => `${words} ${percent(baselines[key].accuracy)}`)
    .join(", ");

/** @param {any} event */
function tell(event) {
  switch (event.type) {
    case "loaded":
      return say(`${event.model.name}: ${event.model.parameters} parameters. ${event.device.reason}`);
    case "started":
      for (const warning of event.warnings) say(`note: ${warning}`);
      return say(
        `${event.trainRows} rows train, ${event.validationRows} judge, ${event.labels.length} labels; head ${event.head}`,
      );
    case "features":
      return event.done === event.total ? say(`features of ${event.total} rows computed`) : undefined;
    case "baselines":
      return say(`validation accuracy before tuning: ${wordsOf(event.validation)}`);
    case "recipe":
      for (const reason of event.reasons) say(`${event.recipe}: ${reason}`);
      return say(`${event.totalSteps} steps in ${event.epochs} epochs`);
    case "seed":
      return say(`run ${event.index + 1} of ${event.count}: head seed ${event.headSeed}, data seed ${event.dataSeed}`);
    case "step":
      if (event.step % 10 !== 0 && event.step !== event.totalSteps) return undefined;
      return say(
        `${event.stage === "contrastive" ? "contrastive " : ""}step ${event.step} of ${event.totalSteps}: loss ${event.loss.toFixed(4)}, ${Math.round(event.ms)} ms`,
      );
    case "evaluation":
      return say(
        `${event.stage === "contrastive" ? "contrastive stage" : `epoch ${event.epoch}`}: validation accuracy ${percent(event.validation.accuracy)}${event.best ? ", the best so far" : ""}`,
      );
    case "seedFinished":
      return say(
        `run ${event.index + 1}: ${event.reason} after ${event.steps} steps, validation accuracy ${percent(event.accuracy)}`,
      );
    case "testing":
      return say(`testing on ${event.rows} rows`);
  }
}

/** A folder that holds one of these is an export of an earlier run, and nothing of a person's own. */
const EXPORT_MARKS = ["labels.json", "adapter_config.json"];

/**
 * Takes the portions of an export's files, in order, and puts them into the folder.
 * @param {string} folder
 * @returns {(portion: { path: string, at: number, base64: string }) => void}
 */
function adapterWriter(folder) {
  let begun = false;
  return ({ path, at, base64 }) => {
    const file = join(folder, path);
    if (!file.startsWith(folder + sep)) throw new Failure(`adapter: the path ${path} leads out of its folder`);
    // Another method leaves other files: what an earlier run left would be taken for this one's.
    if (!begun && EXPORT_MARKS.some((name) => existsSync(join(folder, name)))) rmSync(folder, { recursive: true });
    begun = true;
    mkdirSync(dirname(file), { recursive: true });
    const bytes = Buffer.from(base64, "base64");
    if (at === 0) writeFileSync(file, bytes);
    else appendFileSync(file, bytes);
  };
}

/** What the Compare view shows of an evaluation. @param {any} evaluation */
function measuresOf({ baselines, tuned, bestBaseline, comparison }) {
  const scores = (/** @type {any} */ { accuracy, macroF1, interval }) => ({ accuracy, macroF1, interval });
  return {
    baseline: scores(baselines.probe),
    tuned: scores(tuned),
    baselines: Object.fromEntries(Object.keys(BASELINES).map((key) => [key, scores(baselines[key])])),
    bestBaseline,
    comparison,
  };
}

/** @param {string} out @param {any} result @param {boolean} tested */
function write(out, { run, cachedLayers, finished, evaluation, peakWasmBytes }, tested) {
  const lines = evaluation.rows.map((/** @type {any} */ { text, label, predicted, logits }) =>
    JSON.stringify({ text, label, predicted, logits }),
  );
  writeFileSync(join(out, "predictions.jsonl"), lines.map((/** @type {string} */ line) => `${line}\n`).join(""));
  const { baselines, tuned, bestBaseline, comparison } = evaluation;
  const { seeds } = finished;
  const metrics = {
    device: run.device,
    ...measuresOf(evaluation),
    labels: evaluation.labels,
    trainLoss: finished.trainLoss,
    steps: finished.steps,
    seconds: run.seconds,
    msPerStep: run.msPerStep,
    trainedParameters: finished.trainedParameters,
    totalParameters: finished.totalParameters,
    peakWasmBytes,
    validation: measuresOf(finished.evaluation),
    forgetting: finished.forgetting,
    exportBytes: finished.exportBytes,
    verdict: finished.verdict,
    reasons: run.reasons,
    options: finished.options,
    method: finished.options.method.type,
    seeds: seeds ?? null,
    cachedLayers,
    run,
  };
  writeFileSync(join(out, "metrics.json"), `${JSON.stringify(metrics, null, 2)}\n`);
  say(finished.message);
  if (seeds) {
    say(
      `${seeds.runs.length} runs: validation accuracy ${percent(seeds.mean)} on average, standard deviation ${percent(seeds.deviation)}; run ${seeds.best + 1} is kept`,
    );
  }
  const [low, high] = tuned.interval;
  const { difference } = comparison;
  say(
    `accuracy on ${tuned.count} ${tested ? "test" : "validation"} rows: ${wordsOf(baselines)} before tuning, ${percent(tuned.accuracy)} after (95% interval ${percent(low)} to ${percent(high)})`,
  );
  say(
    `against the ${BASELINES[bestBaseline]}: ${points(difference)} points (95% interval ${points(comparison.low)} to ${points(comparison.high)})${comparison.withinNoise ? ", within noise" : ""}`,
  );
  say(`on the validation rows: ${finished.verdict}`);
  say(`written to ${out}`);
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
  const keep = adapterWriter(join(out, "adapter"));
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
      (event) => (event.type === "file" ? keep(event) : tell(event)),
    );
    write(out, result, test !== undefined);
  } finally {
    await harness.close();
  }
});
