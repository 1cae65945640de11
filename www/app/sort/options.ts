/**
 * Enters: nothing. Leaves: the option drawer's fields, in groups, by the paths of `TrainOptions`.
 */

export interface OptionField {
  /** `learningRate`, or `method.r` for what stands inside. */
  path: string;
  label: string;
  help: string;
  unit?: string;
  /** `integers` and `names` with commas between; `pairs` as `name = 8; other = 4`; `lines` as one text a line. */
  kind: "number" | "integers" | "names" | "pairs" | "lines" | "select";
  /** Of a select: all but the empty one. `true`, `false` mean themselves, `on` an object of further fields. */
  choices?: { value: string; label: string }[];
  /** Shown, and sent, only where that other field has one of these values. */
  when?: { path: string; values: string[] };
  /** What an empty field says; default: the recipe decides. */
  empty?: string;
}

export interface OptionGroup {
  title: string;
  fields: OptionField[];
}

type More = Partial<Pick<OptionField, "unit" | "when" | "empty">>;

export const number = (path: string, label: string, help: string, more: More = {}): OptionField => ({
  path,
  label,
  help,
  kind: "number",
  ...more,
});

export const select = (
  path: string,
  label: string,
  help: string,
  choices: [string, string][],
  more: More = {},
): OptionField => ({
  path,
  label,
  help,
  kind: "select",
  choices: choices.map(([value, name]) => ({ value, label: name })),
  ...more,
});

export const yesOrNo = (path: string, label: string, help: string, more: More = {}): OptionField =>
  select(
    path,
    label,
    help,
    [
      ["true", "Yes"],
      ["false", "No"],
    ],
    more,
  );

const lora = { when: { path: "method.type", values: ["lora"] } };
const houlsby = { when: { path: "method.type", values: ["houlsby"] } };
const prefix = { when: { path: "method.type", values: ["prefix"] } };
const contrastive = { when: { path: "contrastive", values: ["on"] } };
export const usual = (value: string): More => ({ empty: `${value} by default` });

export const methodNames: Record<string, string> = {
  lora: "LoRA",
  full: "Full fine-tuning",
  probe: "Head only",
  houlsby: "Houlsby adapters",
  prefix: "Prefix tuning",
};

export const optionGroups: OptionGroup[] = [
  {
    title: "Recipe",
    fields: [
      select(
        "recipe",
        "Recipe",
        "Chooses all that is left empty below, from your examples and this device.",
        [
          ["fast", "Fast: the least time"],
          ["balanced", "Balanced"],
          ["best", "Best: takes its time"],
        ],
        usual("Balanced"),
      ),
    ],
  },
  {
    title: "Method",
    fields: [
      select("method.type", "Method", "What is trained besides the head.", Object.entries(methodNames)),
      select("head", "Head", "How a text becomes one vector.", [
        ["auto", "What the model asks for"],
        ["mean", "Mean of the tokens"],
        ["cls", "The family's own (sequence classification)"],
      ]),
      select("headInit", "Head starts", "From a fit on the untouched model, or fresh as PEFT does.", [
        ["probe", "Fitted"],
        ["random", "Fresh"],
      ]),
      number("method.r", "Rank r", "Width of the adapter. More learns more and weighs more.", {
        ...lora,
        ...usual("4"),
      }),
      number("method.loraAlpha", "Alpha", "The adapter is scaled by alpha / r.", { ...lora, ...usual("16") }),
      number("method.loraDropout", "LoRA dropout", "Chance that an input is left out in training.", {
        unit: "0 to 1",
        ...lora,
        ...usual("0"),
      }),
      yesOrNo("method.useRslora", "Rank-stabilised", "Scale by alpha / √r instead.", { ...lora, ...usual("No") }),
      yesOrNo("method.useDora", "DoRA", "A magnitude per output trains as well.", { ...lora, ...usual("No") }),
      select(
        "method.initLoraWeights",
        "LoRA starts",
        "How the two factors begin.",
        [
          ["true", "Kaiming-uniform"],
          ["gaussian", "Gaussian"],
          ["pissa", "PiSSA: from the weight's main directions"],
        ],
        { ...lora, ...usual("Kaiming") },
      ),
      select(
        "method.bias",
        "Biases",
        "Which biases of the model train too.",
        [
          ["none", "None"],
          ["lora_only", "Of the adapted layers"],
          ["all", "All"],
        ],
        { ...lora, ...usual("None") },
      ),
      {
        path: "method.layersToTransform",
        label: "Layers",
        help: "Numbers with commas between, from 0 at the bottom.",
        kind: "integers",
        empty: "all by default",
        ...lora,
      },
      {
        path: "method.targetModules",
        label: "Target modules",
        help: "Names with commas between, all-linear, or one regular expression between slashes.",
        kind: "names",
        empty: "query, key, value, intermediate.dense, output.dense",
        ...lora,
      },
      {
        path: "method.rankPattern",
        label: "Ranks by module",
        help: "Name and rank, with semicolons between.",
        kind: "pairs",
        empty: "query = 8; value = 4",
        ...lora,
      },
      {
        path: "method.alphaPattern",
        label: "Alphas by module",
        help: "The same for alpha.",
        kind: "pairs",
        empty: "query = 32; value = 16",
        ...lora,
      },
      number("method.reductionFactor", "Reduction", "The bottleneck is the model's width divided by this.", {
        ...houlsby,
        ...usual("16"),
      }),
      select(
        "method.nonLinearity",
        "Activation",
        "Between the bottleneck's two layers.",
        [
          ["swish", "Swish"],
          ["gelu", "GELU"],
          ["relu", "ReLU"],
          ["tanh", "Tanh"],
        ],
        { ...houlsby, ...usual("Swish") },
      ),
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
      number("numTrainEpochs", "Epochs", "Passes over all training rows."),
      number("learningRate", "Learning rate", "Peak rate of what trains below the head.", { unit: "per step" }),
      number("headLearningRate", "Head learning rate", "Peak rate of the head.", { unit: "per step" }),
      select("lrSchedulerType", "Shape of the rate", "How it goes over the run.", [
        ["linear", "Linear"],
        ["cosine", "Cosine"],
        ["constant", "Constant"],
        ["slantedTriangular", "Slanted triangular"],
      ]),
      number("warmupRatio", "Warm-up", "Share of the steps in which the rate rises from 0.", { unit: "0 to 1" }),
      number("warmupSteps", "Warm-up steps", "The same in steps; give one of the two.", { unit: "steps" }),
      number("layerLrDecay", "Layer decay", "Each layer's rate is the one above it times this.", { unit: "0 to 1" }),
      number(
        "unfreezeEverySteps",
        "Unfreeze by steps",
        "One more layer trains after so many steps; 0 for all at once.",
        {
          unit: "steps",
        },
      ),
      number("unfreezeEveryEpochs", "Unfreeze by epochs", "The same in epochs; give one of the two.", {
        unit: "epochs",
      }),
      number("trainBatchSize", "Batch size", "Rows per forward pass. Fewer rows need less memory.", { unit: "rows" }),
      number("gradientAccumulationSteps", "Accumulation", "Forward passes per update.", { unit: "passes" }),
      select("contrastive", "Contrastive stage", "First, texts of one class are drawn together.", [
        ["on", "Yes"],
        ["false", "No"],
      ]),
      number("contrastive.steps", "Its steps", "Updates in that stage.", { unit: "steps", ...contrastive }),
      number("contrastive.batchSize", "Its batch size", "Texts a step, evenly from the classes.", {
        unit: "texts",
        ...contrastive,
      }),
      number("contrastive.learningRate", "Its learning rate", "Peak rate of that stage.", {
        unit: "per step",
        ...contrastive,
      }),
      number("contrastive.temperature", "Its temperature", "What similarities are divided by.", contrastive),
    ],
  },
  {
    title: "Safeguards",
    fields: [
      number("validationSplit", "Validation share", "Share of each label's rows that only judges.", { unit: "0 to 1" }),
      number("earlyStoppingPatience", "Patience", "Stop after so many epochs without gain; 0 for never.", {
        unit: "epochs",
      }),
      number("dropout", "Dropout", "Chance that a hidden value is left out in training.", { unit: "0 to 1" }),
      number("weightDecay", "Weight decay", "Pull of the weights towards 0."),
      yesOrNo("decayBiasAndNorm", "Decay everything", "Pull biases and norms towards 0 as well."),
      number("mixout", "Mixout", "Chance that a weight is its pretrained value in a step; full fine-tuning only.", {
        unit: "0 to 1",
      }),
      number("l2Sp", "L2-SP", "Pull of the weights towards where they started."),
      number("maxGradNorm", "Gradient limit", "Largest norm of a gradient; 0 for no limit."),
    ],
  },
  {
    title: "Seeds",
    fields: [
      number("seeds", "Number of seeds", "So many runs on one split with other seeds; the best is kept.", usual("1")),
      number("seed", "Seed", "The same seed and rows give the same run.", usual("42")),
      number("headSeed", "Head seed", "How head and adapter start.", { empty: "as the seed" }),
      number("dataSeed", "Data seed", "Order of the rows, and what is dropped.", { empty: "as the seed" }),
    ],
  },
  {
    title: "Advanced",
    fields: [
      number("maxLength", "Longest text", "Tokens kept of each text; the rest is cut off.", { unit: "tokens" }),
      yesOrNo(
        "gradientCheckpointing",
        "Gradient checkpointing",
        "Compute each layer twice instead of keeping its inside.",
        {
          empty: "No by default",
        },
      ),
      yesOrNo("frozenCache", "Reuse frozen layers", "Compute what is frozen below once and keep it."),
      number("adamBeta1", "Adam beta 1", "Memory of the gradient's mean.", usual("0.9")),
      number("adamBeta2", "Adam beta 2", "Memory of the gradient's square.", usual("0.999")),
      number("adamEpsilon", "Adam epsilon", "Keeps the division steady.", usual("1e-8")),
    ],
  },
];

export const optionFields: OptionField[] = optionGroups.flatMap((group) => group.fields);
