/** How a command was started: its own words and what it takes by default depend on it. */
import type { ModelSource } from "../sources/settle.js";

export type TaskWord = "classification" | "causal-lm";

export interface Around {
  /** A command as a person types it, such as `npx webtune finetune`. */
  typed(command: string): string;
  /** The folder that relative paths begin in. */
  readonly from: string;
  /** The repositories of the models that are taken where none is named. */
  readonly defaults: Readonly<Record<TaskWord, string>>;
  /** Where such a model comes from. @throws Error where it can't be had. */
  defaultModel(task: TaskWord): Promise<ModelSource>;
}

export const DEFAULTS: Readonly<Record<TaskWord, string>> = {
  classification: "sentence-transformers/all-MiniLM-L6-v2",
  "causal-lm": "HuggingFaceTB/SmolLM2-135M-Instruct",
};

/** Started by `npx webtune`, from a folder of a person's own. */
export const NPX: Around = {
  typed: (command) => `npx webtune ${command}`,
  from: process.cwd(),
  defaults: DEFAULTS,
  defaultModel: async (task) => ({ repository: DEFAULTS[task] }),
};
