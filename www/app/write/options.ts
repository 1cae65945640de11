/**
 * Enters: nothing. Leaves: the fields of a language model's run and of the texts that it writes, by the engine's names.
 */

import type { DrawerWords } from "../desk/parts/option-drawer";
import { number, type OptionField, type OptionGroup, select, usual, yesOrNo } from "../sort/options";

const lora = { when: { path: "method.type", values: ["", "lora"] } };
const prefix = { when: { path: "method.type", values: ["prefix"] } };
const drawn = { when: { path: "doSample", values: ["true"] } };

export const byDefault: DrawerWords = {
  none: "all by default",
  rest: "the rest by default",
  help: "What is left empty takes its default.",
  empty: "default",
  reset: "Back to the defaults",
};

export const languageGroups: OptionGroup[] = [
  {
    title: "Method",
    fields: [
      select(
        "method.type",
        "Method",
        "What is trained.",
        [
          ["lora", "LoRA"],
          ["prefix", "Prefix tuning"],
          ["full", "Full fine-tuning"],
        ],
        usual("LoRA"),
      ),
      number("method.r", "Rank", "Width of the low-rank deltas.", { ...lora, ...usual("8") }),
      number("method.loraAlpha", "Alpha", "The delta is scaled by alpha over the rank.", { ...lora, ...usual("16") }),
      number("method.loraDropout", "LoRA dropout", "Chance that an input of the delta is left out.", {
        unit: "0 to 1",
        ...lora,
        ...usual("0"),
      }),
      yesOrNo("method.useRslora", "Rank-stabilised", "Scale by the root of the rank.", { ...lora, ...usual("No") }),
      yesOrNo("method.useDora", "DoRA", "Train each weight's length besides its direction.", {
        ...lora,
        ...usual("No"),
      }),
      {
        path: "method.targetModules",
        label: "Target modules",
        help: "Names with commas between, all-linear, or one regular expression between slashes.",
        kind: "names",
        empty: "all-linear",
        ...lora,
      },
      number("method.numVirtualTokens", "Virtual tokens", "Learnt keys and values before every layer's own.", {
        unit: "a layer",
        ...prefix,
        ...usual("10"),
      }),
    ],
  },
  {
    title: "Schedule",
    fields: [
      number("numTrainEpochs", "Epochs", "Passes over all training texts.", usual("3")),
      number("learningRate", "Learning rate", "Peak rate.", { unit: "per step", ...usual("5e-4") }),
      select(
        "lrSchedulerType",
        "Shape of the rate",
        "How it goes over the run.",
        [
          ["linear", "Linear"],
          ["cosine", "Cosine"],
          ["constant", "Constant"],
          ["slantedTriangular", "Slanted triangular"],
        ],
        usual("Cosine"),
      ),
      number("warmupRatio", "Warm-up", "Share of the steps in which the rate rises from 0.", {
        unit: "0 to 1",
        ...usual("0.05"),
      }),
    ],
  },
  {
    title: "Memory and speed",
    fields: [
      number("trainBatchSize", "Batch size", "Texts per forward pass. Fewer need less memory.", {
        unit: "texts",
        ...usual("4"),
      }),
      number("gradientAccumulationSteps", "Accumulation", "Forward passes per update.", {
        unit: "passes",
        ...usual("1"),
      }),
      yesOrNo(
        "gradientCheckpointing",
        "Gradient checkpointing",
        "Compute each layer twice instead of keeping its inside.",
        {
          empty: "where memory asks for it",
        },
      ),
      number("maxLength", "Longest text", "Tokens; a longer prompt is cut from its left, an answer never.", {
        unit: "tokens",
        ...usual("512"),
      }),
      yesOrNo("packing", "Packing", "Several short texts in one row; none sees another.", usual("No")),
    ],
  },
  {
    title: "Texts",
    fields: [
      yesOrNo(
        "completionOnlyLoss",
        "Learn answers only",
        "Otherwise every token; plain text is learnt whole.",
        usual("Yes"),
      ),
      number("validationSplit", "Validation share", "Share of the texts that only judges.", {
        unit: "0 to 1",
        ...usual("0.1"),
      }),
      number(
        "fewShotExamples",
        "Examples in the prompt",
        "For the baseline that does not train; 0 for none.",
        usual("3"),
      ),
      {
        path: "samplePrompts",
        label: "Sample prompts",
        help: "One a line; the model answers them at every evaluation.",
        kind: "lines",
        empty: "those of two validation texts",
      },
      number("sampleTokens", "Tokens of a sample", "0 for no samples.", { unit: "tokens", ...usual("32") }),
    ],
  },
  {
    title: "Safeguards",
    fields: [
      number("evalSteps", "Evaluate every", "0 for once an epoch.", { unit: "steps", ...usual("0") }),
      number("earlyStoppingPatience", "Patience", "Stop after so many evaluations without gain; 0 for never.", {
        unit: "evaluations",
        ...usual("2"),
      }),
      number("weightDecay", "Weight decay", "Pull of the weights towards 0.", usual("0")),
      number("maxGradNorm", "Gradient limit", "Largest norm of a gradient; 0 for no limit.", usual("1")),
      number("seed", "Seed", "The same seed and texts give the same run.", usual("42")),
    ],
  },
  {
    title: "Advanced",
    fields: [
      number("adamBeta1", "Adam beta 1", "Memory of the gradient's mean.", usual("0.9")),
      number("adamBeta2", "Adam beta 2", "Memory of the gradient's square.", usual("0.999")),
      number("adamEpsilon", "Adam epsilon", "Keeps the division steady.", usual("1e-8")),
    ],
  },
];

export const languageFields: OptionField[] = languageGroups.flatMap((group) => group.fields);

export const writingGroups: OptionGroup[] = [
  {
    title: "How it writes",
    fields: [
      number("maxNewTokens", "Longest answer", "It may end earlier by itself.", { unit: "tokens", ...usual("128") }),
      yesOrNo("doSample", "Draw", "Draw from the likely tokens; otherwise always the likeliest.", usual("No")),
      number("temperature", "Temperature", "Lower is more predictable.", { ...drawn, ...usual("1") }),
      number("topK", "Top k", "Draw from so many likeliest tokens; 0 for all.", { ...drawn, ...usual("50") }),
      number("topP", "Top p", "Draw from the likeliest that together reach this.", {
        unit: "0 to 1",
        ...drawn,
        ...usual("1"),
      }),
      number("seed", "Seed", "The same seed draws the same text.", { ...drawn, ...usual("42") }),
      number(
        "repetitionPenalty",
        "Repetition penalty",
        "Above 1, tokens that stand there already get less likely.",
        usual("1"),
      ),
      {
        path: "stop",
        label: "Stop texts",
        help: "One a line; each ends the answer. \\n stands for a line's end.",
        kind: "lines",
        empty: "none",
      },
    ],
  },
];

export const writingFields: OptionField[] = writingGroups.flatMap((group) => group.fields);
