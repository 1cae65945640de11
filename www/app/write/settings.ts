/**
 * Enters: the drawer's fields as typed. Leaves: a run's options, the fields that cannot be read, and the sizes that memory depends on.
 */
import type { LanguageEstimateOptions, LanguageTrainOptions } from "webtune";
import { type FieldValues, readOptions } from "../desk/read-options";
import { languageFields } from "./options";

/** The engine's own, which an estimate has to be told. */
const DEFAULTS = { batch: 4, length: 512 };
export const LORA = { type: "lora", r: 8, targetModules: "all-linear" } as const;

export function settingsOf(values: FieldValues): { options: LanguageTrainOptions; errors: FieldValues } {
  const { options, errors } = readOptions<LanguageTrainOptions>(languageFields, values);
  const { method } = options;
  // One field of a method is not the whole of it.
  if (method && (method.type ?? "lora") === "lora") options.method = { ...LORA, ...method, type: "lora" };
  return { options, errors };
}

/** What an estimate needs to know of a run; what cannot be read counts as left out. */
export function sizesOf(values: FieldValues): Omit<LanguageEstimateOptions, "storage" | "gradientCheckpointing"> & {
  gradientCheckpointing: boolean | undefined;
} {
  const { method = LORA, trainBatchSize, maxLength, gradientCheckpointing } = settingsOf(values).options;
  return {
    method,
    trainBatchSize: trainBatchSize ?? DEFAULTS.batch,
    maxLength: maxLength ?? DEFAULTS.length,
    gradientCheckpointing,
  };
}
