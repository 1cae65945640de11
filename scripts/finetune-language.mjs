/**
 * Tunes a language model on files and writes the adapter, the completions and the measures of the run to a folder.
 */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { folderWriter } from "./finetune-files.mjs";
import { Failure, say } from "./run.mjs";

/** Tokens of a prompt's completion. */
const MAX_NEW_TOKENS = 64;

/**
 * JSONL of `prompt` or `messages`, or a text with one prompt a line.
 * @param {string} file
 * @returns {(string | { role: string, content: string }[])[]}
 */
export function readPrompts(file) {
  const name = basename(file);
  const lines = readFileSync(file, "utf8")
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/);
  const rows = lines.map((line, index) => ({ line, row: index + 1 })).filter(({ line }) => line.trim() !== "");
  if (rows.length === 0) throw new Failure(`--prompts: ${name}: expected at least one prompt, found none`);
  if (!/\.(jsonl|ndjson)$/i.test(name) && !rows[0]?.line.trimStart().startsWith("{"))
    return rows.map(({ line }) => line);
  return rows.map(({ line, row }) => {
    const where = `--prompts: ${name}, row ${row}`;
    let value;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw new Failure(`${where}: expected JSON (${/** @type {Error} */ (error).message})`);
    }
    if (typeof value?.prompt === "string") return value.prompt;
    const isMessage = (/** @type {any} */ entry) =>
      typeof entry?.role === "string" && typeof entry?.content === "string";
    if (Array.isArray(value?.messages) && value.messages.every(isMessage)) {
      return value.messages.map((/** @type {any} */ { role, content }) => ({ role, content }));
    }
    throw new Failure(`${where}: expected {"prompt": "..."} or {"messages": [{"role": "...", "content": "..."}]}`);
  });
}

const number = (/** @type {number} */ value) => value.toFixed(3);

/** @param {any} likelihood */
const wordsOf = ({ perplexity, tokenAccuracy }) =>
  `perplexity ${number(perplexity)}, ${(100 * tokenAccuracy).toFixed(1)}% of tokens right`;

/** @param {any} event */
function tell(event) {
  switch (event.type) {
    case "loaded":
      return say(
        `${event.model.name}: ${event.model.parameters} parameters as ${event.model.storage}. ${event.device.reason}`,
      );
    case "started":
      for (const warning of event.warnings) say(`note: ${warning}`);
      return say(
        `${event.trainTexts} texts train, ${event.validationTexts} judge; ${event.trainTokens} tokens, ${event.trainTargets} learnt`,
      );
    case "recipe":
      for (const reason of event.reasons) say(reason);
      return say(`${event.totalSteps} steps in ${event.epochs} epochs`);
    case "seed":
      return say(`run ${event.index + 1} of ${event.count}: head seed ${event.headSeed}, data seed ${event.dataSeed}`);
    case "seedFinished":
      return say(`run ${event.index + 1}: ${event.reason} after ${event.steps} steps`);
    case "baselines":
      if (event.base) say(`validation texts before tuning: ${wordsOf(event.base)}`);
      if (event.fewShot) {
        say(`with ${event.fewShot.examples} examples in the prompt: ${wordsOf(event.fewShot.likelihood)}`);
      }
      return;
    case "step":
      if (event.step % 10 !== 0 && event.step !== event.totalSteps) return;
      return say(
        `step ${event.step} of ${event.totalSteps}: loss ${event.loss.toFixed(4)}, ${Math.round(event.ms)} ms`,
      );
    case "evaluation":
      return say(`step ${event.step}: ${wordsOf(event.validation)}${event.best ? ", the best so far" : ""}`);
    case "testing":
      return say(`testing on ${event.rows} texts`);
    case "exporting":
      return say(`exporting ${event.format}`);
  }
}

/** @param {any} result */
function metricsOf({ model, device, seconds, steps, finished, tested, peakWasmBytes }) {
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

/**
 * @param {import("./browser.mjs").Harness} harness
 * @param {object} source the model's
 * @param {ReturnType<typeof import("./finetune-arguments.mjs").readArguments>} given
 */
export async function finetuneLanguage(
  harness,
  source,
  { train, test, prompts, device, storage, options, exports, out },
) {
  /** @type {Record<string, ReturnType<typeof folderWriter>>} */
  const writers = {};
  const keep = (/** @type {any} */ event) => {
    const { folder } = event;
    writers[folder] ??= folderWriter(join(out, folder));
    writers[folder](event);
  };
  const completions = join(out, "completions.jsonl");
  /** Everything is written as soon as it is known, so that a later failure takes nothing away. @param {any} event */
  const take = (event) => {
    switch (event.type) {
      case "file":
        return keep(event);
      case "measured":
        writeFileSync(join(out, "metrics.json"), `${JSON.stringify(metricsOf(event), null, 2)}\n`);
        if (prompts) writeFileSync(completions, "");
        return;
      case "completion":
        return appendFileSync(completions, `${JSON.stringify(event.completion)}\n`);
      default:
        return tell(event);
    }
  };
  const { finished, tested } = await harness.run(
    "finetuneLanguage",
    {
      model: source,
      device,
      storage,
      options,
      train: { url: "train", name: basename(train) },
      ...(test ? { test: { url: "test", name: basename(test) } } : {}),
      prompts: prompts ? readPrompts(prompts) : [],
      maxNewTokens: MAX_NEW_TOKENS,
      exports,
    },
    take,
  );
  say(finished.message);
  if (tested) say(`test texts: ${wordsOf(tested.before)} before tuning; ${wordsOf(tested.after)} after`);
  say(`on the validation texts: ${finished.verdict}`);
  say(`written to ${out}`);
}
