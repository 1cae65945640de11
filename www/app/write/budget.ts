/** Estimates from a model's config.json and the settings of a run how many bytes it needs, and which changes would need fewer. */
import { type DeviceChoice, estimateLanguageRun, type LanguageEstimateOptions, type WeightStorage } from "webtune";
import { type FieldValues, readOptions } from "../desk/read-options";
import { storageNames, storages } from "../desk/weight-storages";
import { codeOf } from "../ui/format";
import { writeFields } from "./options";
import type { Budget, Remedy, WriteTypes } from "./state";
import { LORA, withLora } from "./task";

const QUARTER = 0.25;

/** @throws WebtuneError `unsupportedModel`, `invalidFile` (the model), `invalidOption` (a setting). */
export async function budgetOf(
  config: Uint8Array,
  storage: WeightStorage,
  device: DeviceChoice,
  fields: FieldValues,
): Promise<Budget> {
  // What cannot be read counts as left out.
  const options = withLora(readOptions<WriteTypes["options"]>(writeFields, fields).options);
  const ask = (change: LanguageEstimateOptions) =>
    estimateLanguageRun(config, { ...options, storage, ...change, device });
  const table: Budget["table"] = [];
  for (const one of storages) {
    try {
      const { total: plain } = await ask({ storage: one, gradientCheckpointing: false });
      const { total: checkpointed } = await ask({ storage: one, gradientCheckpointing: true });
      table.push({ storage: one, plain, checkpointed });
    } catch (error) {
      // This device or this method cannot use that format.
      if (codeOf(error) !== "invalidOption" || one === storage) throw error;
    }
  }
  const found = await ask({});
  const { estimate: parts, total, limit, trainBatchSize, maxLength, gradientCheckpointing: checkpointing } = found;
  const remedies: Remedy[] = [];
  const propose = async (what: string, change: LanguageEstimateOptions) => {
    const { total: bytes } = await ask({ gradientCheckpointing: checkpointing, ...change });
    if (bytes < total) remedies.push({ what, bytes });
  };
  if (total > limit) {
    if (!checkpointing) await propose("gradient checkpointing", { gradientCheckpointing: true });
    for (const { storage: one } of table.filter((row) => row.storage !== storage)) {
      const words = `${storageNames[one]} weights${checkpointing ? "" : " with gradient checkpointing"}`;
      await propose(words, { storage: one, gradientCheckpointing: true });
    }
    if (trainBatchSize > 1) {
      await propose("a batch size of 1 with more accumulation", { trainBatchSize: 1 });
    }
    const shorter = Math.max(16, Math.round(maxLength * QUARTER));
    if (shorter < maxLength) await propose(`texts of ${shorter} tokens at most`, { maxLength: shorter });
    if (remedies.every(({ bytes }) => bytes > limit)) {
      const least = table.at(-1)?.storage ?? "f32";
      await propose("all of these together", {
        storage: least,
        trainBatchSize: 1,
        maxLength: Math.min(shorter, maxLength),
        gradientCheckpointing: true,
      });
    }
    if (options.method?.type === "full") {
      await propose("LoRA instead of full fine-tuning", { method: LORA, gradientCheckpointing: true });
    }
  }
  const settings = `${trainBatchSize} × ${maxLength} tokens`;
  const { largestTensor, largestTensorLimit = Number.POSITIVE_INFINITY, advice = "" } = found;
  const tooLarge =
    total <= limit && largestTensor > largestTensorLimit
      ? { bytes: largestTensor, limit: largestTensorLimit, advice }
      : undefined;
  return { table, parts, total, checkpointing, limit, tooLarge, remedies, settings };
}
