/**
 * Trains on labelled examples from disk and writes the adapter, the predictions and the measures of the run to a folder.
 * The published package does the work, in a headless Chromium: there is no second way of training.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { readArguments } from "./finetune-arguments.mjs";
import { folderWriter } from "./finetune-files.mjs";
import { finetuneLanguage } from "./finetune-language.mjs";
import { Failure, say, script } from "./run.mjs";
import { setup } from "./setup.mjs";

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
    case "progress":
      return event.done === event.total ? say(`features of ${event.total} rows computed`) : undefined;
    case "baselines":
      return say(`validation accuracy before tuning: ${wordsOf(event.validation)}`);
    case "recipe":
      for (const reason of event.reasons) say(`${event.options.recipe}: ${reason}`);
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
        `run ${event.index + 1}: ${event.reason} after ${event.steps} steps, ${event.value === null ? "not scored" : `validation accuracy ${percent(event.value)}`}`,
      );
    case "testing":
      return say(`testing on ${event.rows} rows`);
  }
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
  const given = readArguments(process.argv.slice(2));
  const { task, train, test, model, device, storage, options, out } = given;
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
  const source = folder
    ? { url: `model/${encodeURIComponent(basename(folder))}/` }
    : (model ?? { url: harness.modelUrl, name: harness.modelName });
  const keep = folderWriter(join(out, "adapter"));
  try {
    if (task === "causal-lm") return await finetuneLanguage(harness, source, given);
    const result = await harness.run(
      "finetune",
      {
        model: source,
        device,
        storage,
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
