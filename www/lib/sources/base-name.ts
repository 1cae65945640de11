/**
 * Says how exports name the model that an adapter belongs to, and whether others will find it by that name.
 */

import { isGguf } from "./gguf-file.js";
import type { SourceFile } from "./http-file.js";
import type { SettledSource } from "./settle.js";

/** The model that exported files say they belong to: PEFT's `base_model_name_or_path`. */
export interface BaseName {
  /** As files name it unless `export` gets another name. */
  name: string;
  /** It is a repository's id. Otherwise it is only what a folder or a file is called here, and others won't find the model by it. */
  isKnown: boolean;
  /**
   * The repository that config.json names, where the name isn't known. It may be the model's own, or that of the model which this one was
   * tuned from, whose weights are others: only a person can tell.
   */
  suggestion?: string | undefined;
}

/** `owner/name`, as the hub has it. */
const REPOSITORY = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/;

/** @param info Of the loaded model; `baseName` is the repository that a GGUF file's metadata says it was made from. */
export async function baseOf(
  source: SettledSource,
  files: readonly SourceFile[],
  info: { name: string; baseName?: string | undefined },
): Promise<BaseName> {
  const { name, baseName } = info;
  const given = "repository" in source ? undefined : source.name;
  if (given !== undefined && REPOSITORY.test(given)) return { name: given, isKnown: true };
  if (baseName !== undefined) return { name: baseName, isKnown: true };
  // A repository of GGUF files is no place that libraries load the base from.
  if (files.some(({ path }) => isGguf(path))) return { name, isKnown: false };
  if ("repository" in source) return { name, isKnown: true };
  return { name, isKnown: false, suggestion: await namedIn(files.find(({ path }) => path === "config.json")) };
}

async function namedIn(config: SourceFile | undefined): Promise<string | undefined> {
  if (!config) return undefined;
  const text = new TextDecoder().decode(await config.read(0, config.size));
  // Not parsed as JSON: the engine also takes what `JSON.parse` refuses, such as NaN, and this is no more than a suggestion.
  const name = /"_name_or_path"\s*:\s*"([^"\\]*)"/.exec(text)?.[1];
  return name !== undefined && REPOSITORY.test(name) ? name : undefined;
}
