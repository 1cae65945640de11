/**
 * What a person reads of a run while it goes on and at its end, and what is written of it, by task.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { say } from "./run.mjs";

const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(1)}%`;
const points = (/** @type {number} */ share) => `${share < 0 ? "" : "+"}${(100 * share).toFixed(1)}`;
const number = (/** @type {number} */ value) => value.toFixed(3);

/** @type {Record<string, string>} */
const BASELINES = { zeroShot: "zero-shot", centroid: "nearest centroid", probe: "fitted head" };

/** What classifiers are compared by: micro F1 where a text may have several labels. @param {any} report */
const scoreOf = ({ accuracy, microF1 }) => microF1 ?? accuracy;

/** @param {any} report */
const nameOf = ({ microF1 }) => ((microF1 ?? null) === null ? "accuracy" : "micro F1");

/** @param {any} baselines */
const allScoresOf = (baselines) =>
  Object.entries(BASELINES)
    .map(([key, words]) => `${words} ${percent(scoreOf(baselines[key]))}`)
    .join(", ");

/** @param {any} likelihood */
const likelihoodOf = ({ perplexity, tokenAccuracy }) =>
  `perplexity ${number(perplexity)}, ${percent(tokenAccuracy)} of tokens right`;

/** That no one else may find the base model by its name. @param {any} event */
function baseNote({ model, base }) {
  const words = `the exported files will name their base model "${model.name}", which others may not find; --base-name takes the repository or folder that they load it from`;
  if (!base.suggestion) return words;
  return `${words} (its config.json names ${base.suggestion}, which may also be the model that it was tuned from)`;
}

/** What both tasks report alike. @param {any} event @param {string} rows what its rows are called */
function common(event, rows) {
  switch (event.type) {
    case "loaded":
      say(
        `${event.model.name}: ${event.model.parameters} parameters as ${event.model.storage}. ${event.device.reason}`,
      );
      if (!event.base.isKnown && !event.baseName) say(`note: ${baseNote(event)}`);
      return;
    case "read": {
      const { file, warnings, emptyRows, skippedRows } = event;
      for (const warning of warnings) say(`note: ${file}: ${warning}`);
      if (emptyRows.length > 0) say(`note: ${file}: ${emptyRows.length} rows without a text or a label are left out`);
      for (const { row, reason } of skippedRows.slice(0, 5)) say(`note: ${file}, row ${row} is left out: ${reason}`);
      if (skippedRows.length > 5) say(`note: ${file}: ${skippedRows.length} rows are left out in all`);
      return;
    }
    case "started":
      for (const warning of event.warnings) say(`note: ${warning}`);
      return;
    case "recipe":
      for (const reason of event.reasons) say(event.options.recipe ? `${event.options.recipe}: ${reason}` : reason);
      return say(`${event.totalSteps} steps in ${event.epochs} epochs`);
    case "seed":
      return say(`run ${event.index + 1} of ${event.count}: head seed ${event.headSeed}, data seed ${event.dataSeed}`);
    case "step":
      if (event.step % 10 !== 0 && event.step !== event.totalSteps) return;
      return say(
        `${event.stage === "contrastive" ? "contrastive " : ""}step ${event.step} of ${event.totalSteps}: loss ${event.loss.toFixed(4)}, ${Math.round(event.ms)} ms`,
      );
    case "testing":
      return say(`testing on ${event.rows} ${rows}`);
    case "exporting":
      return say(`exporting ${event.format ?? "the adapter"}`);
  }
}

/** @param {any} event */
function tellClassification(event) {
  common(event, "rows");
  const best = event.best ? ", the best so far" : "";
  switch (event.type) {
    case "started":
      return say(
        `${event.trainRows} rows train, ${event.validationRows} judge, ${event.labels.length} labels${event.problemType === "multi_label_classification" ? ", of which a text may have several" : ""}; head ${event.head}`,
      );
    case "progress":
      return event.done === event.total ? say(`features of ${event.total} rows computed`) : undefined;
    case "baselines":
      return say(`validation ${nameOf(event.validation.probe)} before tuning: ${allScoresOf(event.validation)}`);
    case "evaluation":
      return say(
        `${event.stage === "contrastive" ? "contrastive stage" : `epoch ${event.epoch}`}: validation ${nameOf(event.validation)} ${percent(scoreOf(event.validation))}${best}`,
      );
    case "seedFinished":
      return say(
        `run ${event.index + 1}: ${event.reason} after ${event.steps} steps, ${event.value === null ? "not scored" : `on the validation rows ${percent(event.value)}`}`,
      );
  }
}

/** @param {any} event */
function tellLanguage(event) {
  common(event, "texts");
  switch (event.type) {
    case "started":
      return say(
        `${event.trainTexts} texts train, ${event.validationTexts} judge; ${event.trainTokens} tokens, ${event.trainTargets} learnt`,
      );
    case "baselines":
      if (event.base) say(`validation texts before tuning: ${likelihoodOf(event.base)}`);
      if (event.fewShot) {
        say(`with ${event.fewShot.examples} examples in the prompt: ${likelihoodOf(event.fewShot.likelihood)}`);
      }
      return;
    case "evaluation":
      return say(`step ${event.step}: ${likelihoodOf(event.validation)}${event.best ? ", the best so far" : ""}`);
    case "seedFinished":
      return say(`run ${event.index + 1}: ${event.reason} after ${event.steps} steps`);
  }
}

/** What the Compare view shows of an evaluation. @param {any} evaluation */
function measuresOf({ baselines, tuned, bestBaseline, comparison }) {
  const scores = (/** @type {any} */ report) => {
    const { accuracy, macroF1, microF1, interval } = report;
    return { accuracy, macroF1, ...(nameOf(report) === "accuracy" ? {} : { microF1 }), interval };
  };
  return {
    baseline: scores(baselines.probe),
    tuned: scores(tuned),
    baselines: Object.fromEntries(Object.keys(BASELINES).map((key) => [key, scores(baselines[key])])),
    bestBaseline,
    comparison,
  };
}

/** @param {any} measured */
function classificationMetrics({ run, started, finished, tested, peakWasmBytes }) {
  const evaluation = tested ?? finished.evaluation;
  return {
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
    seeds: finished.seeds ?? null,
    cachedLayers: started.cachedLayers,
    run,
  };
}

/** @param {any} measured */
function languageMetrics({ model, device, seconds, steps, finished, tested, peakWasmBytes }) {
  return {
    task: "causal-lm",
    model: model.name,
    device,
    storage: model.storage,
    validation: { before: finished.base, fewShot: finished.fewShot, after: finished.tuned },
    test: tested ?? null,
    trainLoss: finished.trainLoss,
    steps: finished.steps,
    keptStep: finished.keptStep,
    reason: finished.reason,
    seconds,
    msPerStep: steps.count > 0 ? steps.ms / steps.count : 0,
    tokens: steps.tokens,
    tokensPerSecond: steps.ms > 0 ? (1000 * steps.tokens) / steps.ms : 0,
    trainedParameters: finished.trainedParameters,
    totalParameters: finished.totalParameters,
    weightBytes: model.weightBytes,
    exportBytes: finished.exportBytes,
    peakWasmBytes,
    verdict: finished.verdict,
    method: finished.options.method.type,
    options: finished.options,
  };
}

/** @param {string} out @param {any} measured */
function writePredictions(out, { finished, tested }) {
  const rows = (tested ?? finished.evaluation).rows.map(
    (/** @type {any} */ { text, textPair, label, predicted, logits }) =>
      JSON.stringify({ text, ...(textPair === undefined ? {} : { text_pair: textPair }), label, predicted, logits }),
  );
  writeFileSync(join(out, "predictions.jsonl"), rows.map((/** @type {string} */ row) => `${row}\n`).join(""));
}

/** @param {any} result */
function concludeClassification({ finished, tested }) {
  const { baselines, tuned, bestBaseline, comparison } = tested ?? finished.evaluation;
  const { seeds } = finished;
  if (seeds) {
    say(
      `${seeds.runs.length} runs: validation ${nameOf(tuned)} ${percent(seeds.mean)} on average, standard deviation ${percent(seeds.deviation)}; run ${seeds.best + 1} is kept`,
    );
  }
  const [low, high] = tuned.interval;
  const interval = `95% interval ${percent(low)} to ${percent(high)}`;
  const allRight = nameOf(tuned) === "accuracy" ? "" : `all labels right on ${percent(tuned.accuracy)}, `;
  say(
    `${nameOf(tuned)} on ${tuned.count} ${tested ? "test" : "validation"} rows: ${allScoresOf(baselines)} before tuning, ${percent(scoreOf(tuned))} after (${allRight}${interval})`,
  );
  say(
    `against the ${BASELINES[bestBaseline]}: ${points(comparison.difference)} points (95% interval ${points(comparison.low)} to ${points(comparison.high)})${comparison.withinNoise ? ", within noise" : ""}`,
  );
  say(`on the validation rows: ${finished.verdict}`);
}

/** @param {any} result */
function concludeLanguage({ finished, tested }) {
  if (tested) say(`test texts: ${likelihoodOf(tested.before)} before tuning; ${likelihoodOf(tested.after)} after`);
  say(`on the validation texts: ${finished.verdict}`);
}

/**
 * `tell` says what happens, `metrics` is what metrics.json holds, `write` is what else is written once a run is measured, `conclude` says
 * how it ended.
 * @type {Record<string, {
 *   tell: (event: any) => void,
 *   metrics: (measured: any) => object,
 *   write: (out: string, measured: any) => void,
 *   conclude: (result: any) => void,
 * }>}
 */
export const TASKS = {
  classification: {
    tell: tellClassification,
    metrics: classificationMetrics,
    write: writePredictions,
    conclude: concludeClassification,
  },
  "causal-lm": {
    tell: tellLanguage,
    metrics: languageMetrics,
    write: () => {},
    conclude: concludeLanguage,
  },
};
