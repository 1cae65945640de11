/**
 * What a person reads of a run while it goes on and at its end, and what is written of it, by task.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DeviceReport } from "../device.js";
import type { RunRecord } from "../record/record.js";
import type { BaseName } from "../sources/base-name.js";
import type {
  Baseline,
  Baselines,
  ClassifyEvent,
  Evaluation,
  ExportFormat,
  LanguageEvent,
  LanguageModelInfo,
  Likelihood,
  ModelInfo,
  Report,
  SkippedRow,
} from "../types/engine.js";
import type { TaskName, Tasks } from "../worker/messages.js";
import { say } from "./failure.js";

const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
const points = (share: number): string => `${share < 0 ? "" : "+"}${(100 * share).toFixed(1)}`;
const number = (value: number): string => value.toFixed(3);

export const BASELINES: Readonly<Record<Baseline, string>> = {
  zeroShot: "zero-shot",
  centroid: "nearest centroid",
  probe: "fitted head",
};
const NAMES = Object.keys(BASELINES) as Baseline[];

/** What is scored on a file of rows. */
export interface Tested {
  classify: Evaluation;
  language: { before: Likelihood; after: Likelihood };
}
export type EventOf<Task extends TaskName, Type extends string> = Extract<Tasks[Task]["event"], { type: Type }>;
/** Sums over the steps of a run. */
export interface Steps {
  count: number;
  tokens: number;
  ms: number;
}
/** A run that has ended. */
export interface Measured<Task extends TaskName> {
  model: Tasks[Task]["info"];
  device: DeviceReport;
  /** From the call to the last event. */
  seconds: number;
  steps: Steps;
  started: EventOf<Task, "started">;
  finished: EventOf<Task, "finished">;
  tested: Tested[Task] | undefined;
  peakWasmBytes: number;
}

/** What the command itself reports. */
export type OwnEvent =
  | {
      type: "loaded";
      model: ModelInfo | LanguageModelInfo;
      device: DeviceReport;
      base: BaseName;
      baseName?: string | undefined;
    }
  | { type: "read"; file: string; warnings: string[]; emptyRows: number[]; skippedRows: SkippedRow[] }
  | { type: "testing"; rows: number }
  | { type: "exporting"; format: ExportFormat | undefined };

/** What classifiers are compared by: micro F1 where a text may have several labels. */
const scoreOf = ({ accuracy, microF1 }: Report): number => microF1 ?? accuracy;

const nameOf = ({ microF1 }: Report): string => (microF1 === null ? "accuracy" : "micro F1");

const allScoresOf = (baselines: Baselines): string =>
  NAMES.map((name) => `${BASELINES[name]} ${percent(scoreOf(baselines[name]))}`).join(", ");

export const likelihoodOf = ({ perplexity, tokenAccuracy }: Likelihood): string =>
  `perplexity ${number(perplexity)}, ${percent(tokenAccuracy)} of tokens right`;

/** That no one else may find the base model by its name. */
function baseNote({ model, base }: Extract<OwnEvent, { type: "loaded" }>): string {
  const words = `the exported files will name their base model "${model.name}", which others may not find; --base-name takes the repository or folder that they load it from`;
  if (!base.suggestion) return words;
  return `${words} (its config.json names ${base.suggestion}, which may also be the model that it was tuned from)`;
}

/** What both tasks report alike. @param rows What its rows are called. */
function common(event: ClassifyEvent | LanguageEvent | OwnEvent, rows: string): void {
  switch (event.type) {
    case "loaded":
      say(
        `${event.model.name}: ${event.model.parameters} parameters as ${event.model.storage}. ${event.device.reason}`,
      );
      if (event.device.workers > 1) say(`${event.device.workers} cores compute, each with a copy of the model`);
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
      for (const reason of event.reasons)
        say("recipe" in event.options ? `${event.options.recipe}: ${reason}` : reason);
      say(`${event.totalSteps} steps in ${event.epochs} epochs`);
      return;
    case "seed":
      say(`run ${event.index + 1} of ${event.count}: head seed ${event.headSeed}, data seed ${event.dataSeed}`);
      return;
    case "step":
      if (event.step % 10 !== 0 && event.step !== event.totalSteps) return;
      say(
        `${event.stage === "contrastive" ? "contrastive " : ""}step ${event.step} of ${event.totalSteps}: loss ${event.loss.toFixed(4)}, ${Math.round(event.ms)} ms`,
      );
      return;
    case "testing":
      say(`testing on ${event.rows} ${rows}`);
      return;
    case "exporting":
      say(`exporting ${event.format ?? "the adapter"}`);
      return;
  }
}

export function tellClassification(event: ClassifyEvent | OwnEvent): void {
  common(event, "rows");
  switch (event.type) {
    case "started":
      say(
        `${event.trainRows} rows train, ${event.validationRows} judge, ${event.labels.length} labels${event.problemType === "multi_label_classification" ? ", of which a text may have several" : ""}; head ${event.head}`,
      );
      return;
    case "progress":
      if (event.done === event.total) say(`features of ${event.total} rows computed`);
      return;
    case "baselines":
      say(`validation ${nameOf(event.validation.probe)} before tuning: ${allScoresOf(event.validation)}`);
      return;
    case "evaluation":
      say(
        `${event.stage === "contrastive" ? "contrastive stage" : `epoch ${event.epoch}`}: validation ${nameOf(event.validation)} ${percent(scoreOf(event.validation))}${event.best ? ", the best so far" : ""}`,
      );
      return;
    case "seedFinished":
      say(
        `run ${event.index + 1}: ${event.reason} after ${event.steps} steps, ${event.value === null ? "not scored" : `on the validation rows ${percent(event.value)}`}`,
      );
      return;
  }
}

export function tellLanguage(event: LanguageEvent | OwnEvent): void {
  common(event, "texts");
  switch (event.type) {
    case "started":
      say(
        `${event.trainTexts} texts train, ${event.validationTexts} judge; ${event.trainTokens} tokens, ${event.trainTargets} learnt`,
      );
      return;
    case "baselines":
      if (event.base) say(`validation texts before tuning: ${likelihoodOf(event.base)}`);
      if (event.fewShot) {
        say(`with ${event.fewShot.examples} examples in the prompt: ${likelihoodOf(event.fewShot.likelihood)}`);
      }
      return;
    case "evaluation":
      say(`step ${event.step}: ${likelihoodOf(event.validation)}${event.best ? ", the best so far" : ""}`);
      return;
    case "seedFinished":
      say(`run ${event.index + 1}: ${event.reason} after ${event.steps} steps`);
      return;
  }
}

/** What is written of a report. */
export function scoresOf(report: Report): object {
  const { accuracy, macroF1, microF1, interval } = report;
  return { accuracy, macroF1, ...(microF1 === null ? {} : { microF1 }), interval };
}

/** What the Compare view shows of an evaluation. */
export function measuresOf({ baselines, tuned, bestBaseline, comparison }: Evaluation): object {
  return {
    baseline: scoresOf(baselines.probe),
    tuned: scoresOf(tuned),
    baselines: Object.fromEntries(NAMES.map((name) => [name, scoresOf(baselines[name])])),
    bestBaseline,
    comparison,
  };
}

export function classificationMetrics(
  { started, finished, tested, peakWasmBytes }: Measured<"classify">,
  run: RunRecord,
): object {
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

export function languageMetrics(measured: Measured<"language">): object {
  const { model, device, seconds, steps, finished, tested, peakWasmBytes } = measured;
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

type Predicted = Pick<Evaluation["rows"][number], "text" | "textPair" | "label" | "predicted" | "logits">;

export function writePredictions(out: string, rows: readonly Predicted[]): void {
  const lines = rows.map(({ text, textPair, label, predicted, logits }) => {
    const row = { text, ...(textPair === undefined ? {} : { text_pair: textPair }), label, predicted, logits };
    return `${JSON.stringify(row)}\n`;
  });
  writeFileSync(join(out, "predictions.jsonl"), lines.join(""));
}

/** How right a classifier is, in words. @param rows What they are called. */
export function accuracyOf(tuned: Report, rows: string, before: string): string {
  const [low, high] = tuned.interval;
  const interval = `95% interval ${percent(low)} to ${percent(high)}`;
  const allRight = tuned.microF1 === null ? "" : `all labels right on ${percent(tuned.accuracy)}, `;
  return `${nameOf(tuned)} on ${tuned.count} ${rows}: ${before}${percent(scoreOf(tuned))} after (${allRight}${interval})`;
}

/** The same before and after, and the difference. */
export function sayEvaluation({ baselines, tuned, bestBaseline, comparison }: Evaluation, rows: string): void {
  say(accuracyOf(tuned, rows, `${allScoresOf(baselines)} before tuning, `));
  say(
    `against the ${BASELINES[bestBaseline]}: ${points(comparison.difference)} points (95% interval ${points(comparison.low)} to ${points(comparison.high)})${comparison.withinNoise ? ", within noise" : ""}`,
  );
}

export function concludeClassification({ finished, tested }: Measured<"classify">): void {
  const evaluation = tested ?? finished.evaluation;
  const { seeds } = finished;
  if (seeds) {
    say(
      `${seeds.runs.length} runs: validation ${nameOf(evaluation.tuned)} ${percent(seeds.mean)} on average, standard deviation ${percent(seeds.deviation)}; run ${seeds.best + 1} is kept`,
    );
  }
  sayEvaluation(evaluation, tested ? "test rows" : "validation rows");
  say(`on the validation rows: ${finished.verdict}`);
}

export const sayLikelihoods = ({ before, after }: Tested["language"]): void =>
  say(`test texts: ${likelihoodOf(before)} before tuning; ${likelihoodOf(after)} after`);

export function concludeLanguage({ finished, tested }: Measured<"language">): void {
  if (tested) sayLikelihoods(tested);
  say(`on the validation texts: ${finished.verdict}`);
}
