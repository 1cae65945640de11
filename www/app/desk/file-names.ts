/**
 * Enters: a model's name and the method. Leaves: the name of the file that carries the result away.
 */
import type { MethodType } from "webtune";

const what: Record<MethodType, string> = {
  lora: "adapter",
  houlsby: "adapter",
  prefix: "adapter",
  full: "model",
  probe: "head",
};

/** `sentence-transformers/all-MiniLM-L6-v2` gives `all-MiniLM-L6-v2-adapter.zip`. */
export function zipName(model: string, method: MethodType = "lora"): string {
  const last = model.split("/").filter(Boolean).pop() ?? "model";
  return `${fileName(last)}-${what[method]}.zip`;
}

/** Words that every file system takes. */
export const fileName = (words: string): string => words.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^-+|-+$/g, "");
