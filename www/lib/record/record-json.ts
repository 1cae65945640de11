/**
 * A run's record as JSON and back. What comes from outside is checked field by field.
 */
import { messageOf, WebtuneError } from "../errors.js";
import type { RunRecord } from "./record.js";

/** Fails unless the value is what a record holds there. */
type Check = (value: unknown, at: string) => void;

function refuse(at: string, expected: string, found: unknown): never {
  const shown = JSON.stringify(found) ?? "nothing";
  const short = shown.length > 60 ? `${shown.slice(0, 60)}...` : shown;
  throw new WebtuneError("invalidFile", `run record: ${at}: expected ${expected}, found ${short}`);
}

const text: Check = (value, at) => typeof value === "string" || refuse(at, "a text", value);
const flag: Check = (value, at) => typeof value === "boolean" || refuse(at, "true or false", value);
const number: Check = (value, at) => typeof value === "number" || refuse(at, "a number", value);
const share: Check = (value, at) => {
  if (typeof value !== "number" || value < 0 || value > 1) refuse(at, "a number from 0 to 1", value);
};
const count: Check = (value, at) => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) refuse(at, "a whole number from 0", value);
};

const oneOf =
  (...values: unknown[]): Check =>
  (value, at) =>
    values.includes(value) || refuse(at, values.map((one) => JSON.stringify(one)).join(" or "), value);

const listOf =
  (check: Check, length?: number): Check =>
  (value, at) => {
    if (!Array.isArray(value)) refuse(at, "a list", value);
    if (length !== undefined && value.length !== length) refuse(at, `${length} entries`, value);
    value.forEach((one, index) => {
      check(one, `${at}[${index}]`);
    });
  };

/** Further fields are let through: options grow with versions. */
const object =
  (fields: Record<string, Check>): Check =>
  (value, at) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) refuse(at, "an object", value);
    for (const [key, check] of Object.entries(fields)) check((value as Record<string, unknown>)[key], `${at}.${key}`);
  };

const optional =
  (check: Check): Check =>
  (value, at) =>
    value === undefined || check(value, at);

const nullable =
  (check: Check): Check =>
  (value, at) =>
    value === null || check(value, at);

const report = object({
  accuracy: share,
  interval: listOf(number, 2),
  macroF1: share,
  loss: number,
  count,
  perClass: listOf(object({ label: text, precision: share, recall: share, f1: share, support: count })),
  confusion: listOf(listOf(count)),
});

/** Every field, in the order in which they are written. */
const FIELDS: Record<keyof RunRecord, Check> = {
  version: oneOf(1),
  id: text,
  name: text,
  createdAt: text,
  model: text,
  device: oneOf("webgpu", "cpu"),
  data: text,
  options: object({ method: object({ type: text }), numTrainEpochs: number, learningRate: number }),
  reasons: listOf(text),
  labels: listOf(text),
  trainRows: count,
  validationRows: count,
  itemsKey: text,
  correct: listOf(flag),
  tuned: report,
  baselines: object({ zeroShot: report, centroid: report, probe: report }),
  bestBaseline: oneOf("zeroShot", "centroid", "probe"),
  comparison: object({ difference: number, low: number, high: number, pValue: share, withinNoise: flag, count }),
  verdict: text,
  forgetting: object({ meanCosine: number, lowest: number, sentences: count }),
  trainedParameters: count,
  totalParameters: count,
  exportBytes: count,
  seconds: number,
  msPerStep: nullable(number),
  steps: count,
  keptEpoch: count,
  keptStage: oneOf("probe", "contrastive", "classify"),
  reason: text,
  curve: listOf(object({ step: count, loss: number })),
  evaluations: listOf(
    object({ step: count, epoch: count, stage: oneOf("contrastive", "classify"), accuracy: share, loss: number }),
  ),
  rates: listOf(object({ step: count, groups: listOf(object({ name: text, learningRate: number, frozen: flag })) })),
  seeds: optional(
    object({
      runs: listOf(
        object({
          headSeed: count,
          dataSeed: count,
          reason: text,
          accuracy: nullable(share),
          loss: nullable(number),
          keptEpoch: count,
          steps: count,
        }),
      ),
      mean: share,
      deviation: number,
      best: count,
    }),
  ),
  rows: optional(listOf(object({ text, label: text, predicted: text }))),
};

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
  if (typeof given !== "object" || given === null) refuse("the file", "an object", given);
  const values = given as Record<string, unknown>;
  for (const [key, check] of Object.entries(FIELDS)) check(values[key], key);
  const known = Object.keys(FIELDS).filter((key) => values[key] !== undefined);
  const record = Object.fromEntries(known.map((key) => [key, values[key]])) as unknown as RunRecord;
  const { correct, rows, tuned } = record;
  // Runs are compared row by row, so a list of another length would compare different rows.
  if (correct.length !== tuned.count) refuse("correct", `${tuned.count} entries, as tuned.count says`, correct.length);
  if (rows && rows.length !== correct.length) refuse("rows", `${correct.length} entries, as in correct`, rows.length);
  return record;
}
