/** The fields of a language model's run, and of the texts that it writes. */
import {
  described,
  excludeModules,
  fieldsOf,
  flag,
  list,
  loraFields,
  methodField,
  number,
  type OptionGroup,
  prefixFields,
  shared,
  shownWhen,
  targetModules,
} from "../desk/options";
import type { DrawerWords } from "../desk/parts/option-drawer";

export const byDefault: DrawerWords = {
  none: "all by default",
  rest: "the rest by default",
  help: "Empty fields take their defaults.",
  empty: "default",
  reset: "Reset to the defaults",
};

export const writeGroups: OptionGroup[] = described("language", [
  {
    title: "Method",
    fields: [
      methodField("What is trained.", ["lora", "prefix", "full"]),
      ...shownWhen("method.type", ["", "lora"], [...loraFields, targetModules("all-linear"), excludeModules]),
      ...shownWhen("method.type", ["prefix"], prefixFields),
    ],
  },
  {
    title: "Schedule",
    fields: [shared.numTrainEpochs, shared.learningRate, shared.lrSchedulerType, shared.warmupRatio],
  },
  {
    title: "Memory and speed",
    fields: [
      shared.trainBatchSize,
      shared.gradientAccumulationSteps,
      shared.gradientCheckpointing,
      shared.maxLength("A longer prompt is truncated on the left, an answer never."),
      flag("packing", "Packing", "Put several short texts in one row; none attends to another."),
    ],
  },
  {
    title: "Texts",
    fields: [
      flag("completionOnlyLoss", "Learn answers only", "If not, every token is learned; plain text always is."),
      flag("skipBad", "Leave out bad rows", "Rows that the chat template refuses or whose answer is too long."),
      shared.validationSplit,
      number("fewShotExamples", "Examples in the prompt", "For the baseline without training; 0 for none."),
      list(
        "lines",
        "samplePrompts",
        "Sample prompts",
        "One per line; the model answers them at every evaluation.",
        "those of two validation texts",
      ),
      number("sampleTokens", "Tokens per sample", "0 for no samples.", { unit: "tokens" }),
    ],
  },
  {
    title: "Safeguards",
    fields: [
      number("evalSteps", "Evaluate every", "0 for once an epoch.", { unit: "steps" }),
      shared.earlyStoppingPatience("evaluations"),
      shared.weightDecay,
      shared.maxGradNorm,
      shared.seed,
    ],
  },
  { title: "Advanced", fields: shared.adam },
]);

export const writeFields = fieldsOf(writeGroups);

export const generationGroups: OptionGroup[] = described("generate", [
  {
    title: "How it writes",
    fields: [
      number("maxNewTokens", "Longest answer", "The model may end it earlier.", { unit: "tokens" }),
      flag("doSample", "Sample", "Draw from the likely tokens. If not, always take the likeliest."),
      ...shownWhen(
        "doSample",
        ["true"],
        [
          number("temperature", "Temperature", "Lower is more predictable."),
          number("topK", "Top k", "Draw from this many likeliest tokens; 0 for all."),
          number("topP", "Top p", "Draw from the likeliest tokens that together reach this probability."),
          number("seed", "Seed", "The same seed draws the same text."),
        ],
      ),
      number("repetitionPenalty", "Repetition penalty", "Above 1, tokens already in the text become less likely."),
      list("lines", "stop", "Stop texts", "One per line; each ends the answer. Write \\n for a line break.", "none"),
    ],
  },
]);

export const generationFields = fieldsOf(generationGroups);
