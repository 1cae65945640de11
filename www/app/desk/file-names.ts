/** Names for the files that a person downloads. */
import type { Method } from "webtune";

type MethodType = Method["type"];

const what: Record<MethodType, string> = {
  lora: "adapter",
  houlsby: "adapter",
  prefix: "adapter",
  full: "model",
  probe: "head",
};

/** `sentence-transformers/all-MiniLM-L6-v2` gives `all-MiniLM-L6-v2-adapter.zip`. */
export const zipName = (model: string, method: MethodType = "lora"): string =>
  `${modelName(model)}-${what[method]}.zip`;

/** The last part of a repository id or a path. */
export const modelName = (model: string): string => fileName(model.split("/").filter(Boolean).pop() ?? "model");

/** Words that every file system takes. */
export const fileName = (words: string): string => words.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^-+|-+$/g, "");
