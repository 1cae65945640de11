/**
 * Enters: a file of texts, or a model's sizes. Leaves: rows that a language model learns from, or the bytes that a run takes.
 * Both need no model, and share one worker.
 */
import { pageAddress } from "./client.js";
import { defaultMemoryLimit } from "./device.js";
import type { LanguageEstimate, LanguageEstimateOptions, ParsedText } from "./language-protocol.js";
import { bytesOf } from "./parse.js";
import type { DeviceChoice, ModelSource } from "./protocol.js";
import { settleSource } from "./settle.js";
import { sharedLink } from "./shared.js";

/** A file that a page made itself. */
export type NamedText = { name: string; bytes: Uint8Array } | { name: string; text: string };

/**
 * Reads conversations, questions with answers, or plain text; the file's name tells which where its content doesn't.
 *
 * @throws WebtuneError `invalidFile`, `invalidData` naming file and row, `readFailed`.
 */
export async function parseTextRows(file: File | NamedText): Promise<ParsedText[]> {
  const content = file instanceof Blob ? file : "bytes" in file ? file.bytes : file.text;
  return sharedLink().call("parseTextRows", [file.name, await bytesOf(content, file.name)]).answer;
}

/**
 * The bytes of a model's config.json, for estimates that are made again and again.
 *
 * @throws WebtuneError `missingFile`, `readFailed`.
 */
export async function readModelConfig(source: ModelSource): Promise<Uint8Array> {
  return sharedLink().call("readConfig", [settleSource(source, pageAddress())]).answer;
}

/**
 * Most bytes that an engine of this page plans for where `memoryLimitBytes` is left out: half of the device's memory as
 * the browser tells it, 3 GiB at most.
 */
export function memoryLimit(): number {
  return defaultMemoryLimit((globalThis.navigator as { deviceMemory?: number } | undefined)?.deviceMemory);
}

/**
 * The bytes that a run would take, from `config.json` alone: no weights are read.
 *
 * @param from A model's source, or the bytes of its config.json.
 * @param options `device` counts because the engines keep weights differently; default "auto".
 * @throws WebtuneError `missingFile`, `readFailed`, `invalidFile`, `unsupportedModel`, `invalidOption`.
 */
export async function estimateLanguageRun(
  from: ModelSource | Uint8Array,
  options: LanguageEstimateOptions & { device?: DeviceChoice | undefined },
): Promise<LanguageEstimate> {
  const { device = "auto", ...settings } = options;
  const settled = from instanceof Uint8Array ? from : settleSource(from, pageAddress());
  return sharedLink().call("estimateLanguage", [settled, settings, device]).answer;
}
