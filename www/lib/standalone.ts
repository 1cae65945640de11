/**
 * What needs no loaded model: reading files of examples and texts, estimating memory, comparing runs. The calls share one worker, which
 * reads from no other server.
 */
import { type DeviceChoice, defaultMemoryLimit, engineModule } from "./device.js";
import { fileError, messageOf, WebtuneError } from "./errors.js";
import { reachOf } from "./sources/reach.js";
import { type ModelSource, pageAddress, settleSource } from "./sources/settle.js";
import type {
  Comparison,
  LanguageEstimate,
  LanguageOptions,
  ParsedTable,
  ParsedTexts,
  ParseOptions,
  TextOptions,
  WeightStorage,
} from "./types/engine.js";
import { callOnce, WorkerLink } from "./worker/link.js";
import { SharedWorkerLink } from "./worker/shared.js";

const shared = new SharedWorkerLink("cpu");
/** For what depends on the graphics card. */
const sharedWebgpu = new SharedWorkerLink("webgpu");

/** A file that a page made itself. */
export type NamedText = { name: string; bytes: Uint8Array } | { name: string; text: string };

/**
 * Reads a table of examples: CSV, TSV, JSON in any layout, lines of label and text (by a tab, fastText's, TREC's), packed with gzip or not.
 *
 * What was found out about the file is in the result and can be set by `options`. An error whose `remedy` is set has an option that
 * helps: `encoding: "windows-1252"`, or `skipBad: true`, which leaves out the rows that can't be read.
 *
 * @param name The file's name, for error messages and the format; default the `File`'s own, or `pasted text`.
 * @throws WebtuneError `invalidData` naming file and row, or a column that isn't there; `invalidFile`, `readFailed`.
 */
export async function parseExamples(
  input: Blob | string | Uint8Array,
  name?: string,
  options: ParseOptions = {},
): Promise<ParsedTable> {
  const title = name ?? (input instanceof Blob && "name" in input ? String(input.name) : "pasted text");
  const bytes = await bytesOf(input, title);
  return shared.call("parse", [title, bytes, options]);
}

/**
 * Reads conversations, questions with answers, or plain text; the file's name says which if its content doesn't. Remedies as in
 * `parseExamples`.
 *
 * @throws WebtuneError `invalidFile`, `invalidData` naming file and row, `readFailed`.
 */
export async function parseTextRows(file: File | NamedText, options: TextOptions = {}): Promise<ParsedTexts> {
  const content = file instanceof Blob ? file : "bytes" in file ? file.bytes : file.text;
  return shared.call("parseTextRows", [file.name, await bytesOf(content, file.name), options]);
}

async function bytesOf(input: Blob | string | Uint8Array, name: string): Promise<Uint8Array> {
  if (typeof input === "string") return new TextEncoder().encode(input);
  if (!(input instanceof Blob)) return input;
  try {
    return new Uint8Array(await input.arrayBuffer());
  } catch (error) {
    throw fileError("readFailed", name, `it could not be read (${messageOf(error)})`);
  }
}

/**
 * Run B against run A on the same rows, by a paired bootstrap. Of two records, give their `correct`, and only if their
 * `itemsKey` is the same.
 *
 * @throws WebtuneError `invalidOption` if the two have different lengths or no rows.
 */
export function compareRuns(a: readonly boolean[], b: readonly boolean[]): Promise<Comparison> {
  return shared.call("compare", [[...a], [...b]]);
}

/**
 * The bytes of a model's config.json, for estimates that are made again and again; of a GGUF file those that the engine makes from its
 * head, a few MB.
 *
 * @throws WebtuneError `missingFile`, `readFailed`.
 */
export async function readModelConfig(source: ModelSource): Promise<Uint8Array> {
  const settled = settleSource(source, pageAddress());
  const reach = reachOf(settled);
  if (reach.length === 0) return shared.call("readConfig", [settled]);
  const link = WorkerLink.spawn(reach, "cpu");
  const config = await callOnce(link, "readConfig", [settled], undefined, {});
  link.close(new WebtuneError("aborted", "this worker was for one file"));
  return config;
}

/**
 * Most bytes that an engine of this page plans for if `memoryLimitBytes` is left out: half of the device's memory as
 * the browser reports it, 3 GiB at most.
 */
export function memoryLimit(): number {
  return defaultMemoryLimit((globalThis.navigator as { deviceMemory?: number } | undefined)?.deviceMemory);
}

/** A run's own options, and how its model would be loaded. */
export interface LanguageEstimateOptions extends LanguageOptions {
  storage?: WeightStorage | undefined;
  device?: DeviceChoice | undefined;
}

/**
 * What a run would take and what the engine would decide, from `config.json` alone: no weights are read. It counts as if
 * every text had `maxLength` tokens.
 *
 * @param from A model's source, or the bytes of its config.json.
 * @param options The run's own; `storage` (default "f32") and `device` (default "auto") as the model would be loaded.
 * @throws WebtuneError `missingFile`, `readFailed`, `invalidFile`, `unsupportedModel`, `invalidOption`.
 */
export async function estimateLanguageRun(
  from: ModelSource | Uint8Array,
  options: LanguageEstimateOptions = {},
): Promise<LanguageEstimate> {
  const { device = "auto", storage = "f32", ...settings } = options;
  const config = from instanceof Uint8Array ? from : await readModelConfig(from);
  const link = (await engineModule(device)) === "cpu" ? shared : sharedWebgpu;
  return link.call("estimateLanguage", [config, storage, settings, device]);
}
