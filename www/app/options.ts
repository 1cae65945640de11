/**
 * Enters: the option drawer's fields as typed. Leaves: `TrainOptions`, or the field that could not be read.
 */
import type { TrainOptions } from "webtune";

export type FieldValues = Record<string, string>;

export interface OptionField {
  name: string;
  label: string;
  help: string;
  unit?: string;
  /** Shown where nothing is typed: the package's own default. */
  placeholder: string;
  kind: "number" | "text" | "select";
  choices?: { value: string; label: string }[];
  /** The field belongs to `method`. */
  method?: boolean;
}

export interface OptionGroup {
  title: string;
  fields: OptionField[];
}

const number = (name: string, label: string, placeholder: string, help: string, unit?: string): OptionField => ({
  name,
  label,
  placeholder,
  help,
  kind: "number",
  ...(unit ? { unit } : {}),
});

export const optionGroups: OptionGroup[] = [
  {
    title: "Course of the run",
    fields: [
      {
        name: "recipe",
        label: "Recipe",
        placeholder: "probeThenLora",
        help: "Fit the head on the untouched model first, or start from a fresh head as PEFT does.",
        kind: "select",
        choices: [
          { value: "probeThenLora", label: "Probe, then LoRA" },
          { value: "lora", label: "LoRA from a fresh head" },
        ],
      },
      {
        name: "head",
        label: "Head",
        placeholder: "auto",
        help: "How a text becomes one vector: the model's pooler, or the mean of its tokens.",
        kind: "select",
        choices: [
          { value: "auto", label: "What the model asks for" },
          { value: "mean", label: "Mean of the tokens" },
          { value: "cls", label: "Pooler (sequence classification)" },
        ],
      },
      number("numTrainEpochs", "Epochs", "5", "Passes over all training rows."),
      number("trainBatchSize", "Batch size", "16", "Rows per forward pass. Fewer rows need less memory.", "rows"),
      number("gradientAccumulationSteps", "Accumulation", "1", "Forward passes per update.", "passes"),
      number("maxLength", "Longest text", "128", "Tokens kept of each text; the rest is cut off.", "tokens"),
      number("validationSplit", "Validation share", "0.15", "Share of each label's rows that only judges.", "0 to 1"),
      number(
        "earlyStoppingPatience",
        "Patience",
        "3",
        "Stop after so many epochs without gain; 0 for never.",
        "epochs",
      ),
      number("seed", "Seed", "42", "The same seed and rows give the same run."),
    ],
  },
  {
    title: "Rates",
    fields: [
      number("learningRate", "Learning rate", "0.001", "Peak rate of the adapter.", "per step"),
      number("headLearningRate", "Head learning rate", "0.01", "Peak rate of the head.", "per step"),
      number("warmupRatio", "Warm-up", "0.1", "Share of the steps in which the rate rises from 0.", "0 to 1"),
      number("weightDecay", "Weight decay", "0.01", "Pull of the weights towards 0."),
      number("maxGradNorm", "Gradient limit", "1", "Largest norm of a gradient; 0 for no limit."),
      number("adamBeta1", "Adam beta 1", "0.9", "Memory of the gradient's mean."),
      number("adamBeta2", "Adam beta 2", "0.999", "Memory of the gradient's square."),
      number("adamEpsilon", "Adam epsilon", "1e-8", "Keeps the division steady."),
    ],
  },
  {
    title: "LoRA",
    fields: [
      { ...number("r", "Rank r", "4", "Width of the adapter. More learns more and weighs more."), method: true },
      { ...number("loraAlpha", "Alpha", "16", "The adapter is scaled by alpha / r."), method: true },
      {
        ...number("loraDropout", "Dropout", "0", "Chance that an input is left out in training.", "0 to 1"),
        method: true,
      },
      {
        name: "targetModules",
        label: "Target modules",
        placeholder: "query, key, value, intermediate.dense, output.dense",
        help: "Names of the layers that get an adapter, with commas between; or one regular expression between slashes.",
        kind: "text",
        method: true,
      },
    ],
  },
];

const fields = optionGroups.flatMap((group) => group.fields);

/** Untouched fields are left out, so that the package's defaults hold. */
export function readOptions(values: FieldValues): { options: TrainOptions; errors: FieldValues } {
  const options: Record<string, unknown> = {};
  const method: Record<string, unknown> = {};
  const errors: FieldValues = {};
  for (const field of fields) {
    const typed = (values[field.name] ?? "").trim();
    if (typed === "") continue;
    const into = field.method ? method : options;
    if (field.kind === "number") {
      const value = Number(typed);
      if (Number.isFinite(value)) into[field.name] = value;
      else errors[field.name] = `expected a number, found "${typed}"`;
    } else if (field.name === "targetModules") {
      const pattern = /^\/(.+)\/$/.exec(typed)?.[1];
      const names = typed.split(",").map((name) => name.trim());
      into[field.name] = pattern ?? names.filter((name) => name !== "");
    } else {
      into[field.name] = typed;
    }
  }
  if (Object.keys(method).length > 0) options.method = { type: "lora", ...method };
  return { options: options as TrainOptions, errors };
}

/** The field that an `invalidOption` message speaks of: `method.r: expected …` names `r`. */
export function fieldOfMessage(message: string): { name: string; reason: string } | undefined {
  const match = /^([A-Za-z0-9_.]+):\s*(.+)$/s.exec(message);
  const name = match?.[1]
    ?.split(".")
    .pop()
    ?.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  const reason = match?.[2];
  return name && reason && fields.some((field) => field.name === name) ? { name, reason } : undefined;
}
