/**
 * A run's record as JSON and back. What comes from outside is checked field by field.
 */
import { messageOf, WebtuneError } from "../errors.js";
import { describeOptions } from "../options.js";
import type { OptionSpec } from "../types/options.js";
import {
  between,
  count,
  either,
  flag,
  line,
  listOf,
  mapOf,
  nullable,
  number,
  object,
  oneOf,
  optional,
  pairOf,
  positive,
  type Read,
  refuse,
  share,
  text,
} from "./readers.js";
import type { RunRecord } from "./record.js";

const report = object({
  accuracy: share,
  interval: pairOf(share),
  macroF1: share,
  // records of earlier versions have none
  microF1: optional(nullable(share)),
  loss: number,
  count,
  perClass: listOf(
    object({
      label: text,
      precision: share,
      recall: share,
      f1: share,
      support: count,
      threshold: optional(nullable(share)),
    }),
  ),
  confusion: listOf(listOf(count)),
});

const isFlag = (value: unknown): boolean => typeof value === "boolean";
const isText = (value: unknown): boolean => typeof value === "string";

const label = either(text, isText, listOf(text));

function readerOf({ type, values }: OptionSpec): Read<unknown> {
  if (values) return either(flag, isFlag, oneOf(...values));
  switch (type) {
    case "number":
      return number;
    case "boolean":
      return flag;
    case "number[]":
      return listOf(number);
    case "Record<string, number>":
      return mapOf(number);
    case "Record<string, string>":
      return mapOf(text);
    default:
      // Modules by names or a pattern; a start by true or a word.
      return either(flag, isFlag, either(text, isText, listOf(text)));
  }
}

/** The fields of an option that is an object, `method.r` among those of `method`. */
function settingsBelow(name: string): Record<string, Read<unknown>> {
  const below = describeOptions("classify").filter((spec) => spec.name.startsWith(`${name}.`));
  return Object.fromEntries(
    below.map((spec) => [spec.name.slice(name.length + 1), optional(nullable(readerOf(spec)))]),
  );
}

/** As the engine describes them. What another version may have besides is left out. */
function settings(): Read<unknown> {
  const plain = describeOptions("classify").filter(({ name }) => !name.includes("."));
  const stage = object(settingsBelow("contrastive"));
  return object({
    ...Object.fromEntries(plain.map((spec) => [spec.name, optional(nullable(readerOf(spec)))])),
    contrastive: optional(either(flag, isFlag, stage)),
    method: object({ type: line, ...settingsBelow("method") }),
    numTrainEpochs: number,
    learningRate: number,
  });
}

const seedRun = object({
  headSeed: count,
  dataSeed: count,
  reason: line,
  accuracy: nullable(share),
  loss: nullable(number),
  keptEpoch: count,
  steps: count,
});

const evaluation = object({
  step: count,
  epoch: count,
  stage: oneOf("contrastive", "classify"),
  accuracy: share,
  loss: number,
});

/** What is listed on the page one by one. */
const FEW = 1000;

/** Every field, in the order in which they are written. */
const FIELDS = {
  version: oneOf(1),
  id: line,
  name: line,
  createdAt: line,
  model: line,
  device: oneOf("webgpu", "cpu"),
  data: line,
  options: settings() as Read<RunRecord["options"]>,
  reasons: listOf(text, FEW),
  labels: listOf(text),
  trainRows: count,
  validationRows: count,
  itemsKey: line,
  correct: listOf(flag),
  tuned: report,
  baselines: object({ zeroShot: report, centroid: report, probe: report }),
  bestBaseline: oneOf("zeroShot", "centroid", "probe"),
  comparison: object({ difference: number, low: number, high: number, pValue: share, withinNoise: flag, count }),
  verdict: text,
  forgetting: object({ meanCosine: between(-1.01, 1.01), lowest: between(-1.01, 1.01), sentences: count }),
  trainedParameters: count,
  totalParameters: count,
  exportBytes: count,
  seconds: positive,
  msPerStep: nullable(positive),
  steps: count,
  keptEpoch: count,
  keptStage: oneOf("probe", "contrastive", "classify"),
  reason: line,
  curve: listOf(object({ step: count, loss: number })),
  evaluations: listOf(evaluation),
  rates: listOf(
    object({ step: count, groups: listOf(object({ name: line, learningRate: number, frozen: flag }), FEW) }),
  ),
  seeds: optional(object({ runs: listOf(seedRun, FEW), mean: share, deviation: positive, best: count })),
  rows: optional(listOf(object({ text, textPair: optional(text), label, predicted: label }))),
} satisfies Record<keyof RunRecord, Read<unknown>>;

const record = object(FIELDS);

/**
 * Indented JSON, its fields always in the same order.
 *
 * @param options `rows` puts the judged texts into the file; default false.
 */
export function recordToJson(record: RunRecord, options: { rows?: boolean } = {}): string {
  const keys = Object.keys(FIELDS).filter((key) => key !== "rows" || options.rows) as (keyof RunRecord)[];
  return `${JSON.stringify(Object.fromEntries(keys.map((key) => [key, record[key]])), null, 2)}\n`;
}

/**
 * Reads what `recordToJson` wrote. Fields it does not know are left out.
 *
 * @throws WebtuneError `invalidFile` naming the field, what was expected and what was found.
 */
export function recordFromJson(json: string): RunRecord {
  let given: unknown;
  try {
    given = JSON.parse(json);
  } catch (error) {
    throw new WebtuneError("invalidFile", `run record: expected JSON (${messageOf(error)})`);
  }
  return recordFromObject(given);
}

/**
 * A record that comes from a storage instead of a file, checked in the same way.
 *
 * @throws WebtuneError as `recordFromJson`.
 */
export function recordFromObject(given: unknown): RunRecord {
  if (typeof given !== "object" || given === null || Array.isArray(given)) refuse("the file", "an object", given);
  const read = record(given, "");
  const { correct, rows, tuned } = read;
  // Runs are compared row by row, so a list of another length would compare different rows.
  if (correct.length !== tuned.count) refuse("correct", `${tuned.count} entries, as tuned.count says`, correct);
  if (rows && rows.length !== correct.length) refuse("rows", `${correct.length} entries, as in correct`, rows);
  return read as RunRecord;
}
