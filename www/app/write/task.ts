/** The language model's calls into the package. */
import { LanguageModel, type LanguageOptions } from "webtune";
import type { Task } from "../desk/task";
import { writeFields } from "./options";
import { findPreset } from "./preset";
import type { WriteTypes } from "./state";

export const LORA = { type: "lora", r: 8, targetModules: "all-linear" } as const;

/** One field of LoRA leaves the others at a language model's defaults. */
export function withLora(options: LanguageOptions): LanguageOptions {
  const { method } = options;
  if (!method || (method.type ?? "lora") !== "lora") return options;
  return { ...options, method: { ...LORA, ...method, type: "lora" } };
}

export const writeTask: Task<WriteTypes> = {
  name: "write",
  preset: findPreset,
  fields: writeFields,
  load: (source, options) => LanguageModel.load(source, options),
  train: (tuner, rows, options, checkpoint, from) => {
    // Errors name a row by its place in the list.
    const texts = rows.map(({ content }, index) => ({ content, row: index + 1 }));
    const all = { ...withLora(options), file: "the list of texts", checkpoint };
    return from ? tuner.resume(from, texts, all) : tuner.train(texts, all);
  },
};
