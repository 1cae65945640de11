/** The fields of a classifier's run. What is left empty, the recipe decides. */
import {
  described,
  excludeModules,
  fieldsOf,
  flag,
  list,
  loraFields,
  methodField,
  number,
  type OptionField,
  type OptionGroup,
  prefixFields,
  select,
  shared,
  shownWhen,
  targetModules,
} from "../desk/options";

const ofMethod = (method: string, fields: OptionField[]) => shownWhen("method.type", [method], fields);

const recipe: OptionField[] = [
  select("recipe", "Recipe", "Chooses everything that is left empty below, from your examples and this device.", [
    ["fast", "Fast: the least time"],
    ["balanced", "Balanced"],
    ["best", "Best: takes its time"],
  ]),
];

const method: OptionField[] = [
  methodField("What is trained besides the head.", ["lora", "full", "probe", "houlsby", "prefix"]),
  select("head", "Head", "How a text becomes one vector.", [
    ["auto", "As the model suggests"],
    ["mean", "Mean of the tokens"],
    ["cls", "The family's own (sequence classification)"],
  ]),
  select("headInit", "Head starts", "From a linear probe of the untuned model, or random as in PEFT.", [
    ["probe", "From the probe"],
    ["random", "Random"],
  ]),
  ...ofMethod("lora", [
    ...loraFields,
    select("method.initLoraWeights", "LoRA starts", "How the two factors are initialised.", [
      ["true", "Kaiming-uniform"],
      ["gaussian", "Gaussian"],
      ["pissa", "PiSSA: from the weight's main directions"],
    ]),
    select("method.bias", "Biases", "Which biases of the model train too.", [
      ["none", "None"],
      ["lora_only", "Of the adapted layers"],
      ["all", "All"],
    ]),
    list(
      "integers",
      "method.layersToTransform",
      "Layers",
      "Numbers separated by commas, from 0 at the bottom.",
      "all by default",
    ),
    targetModules("query, key, value, intermediate.dense, output.dense"),
    excludeModules,
    list(
      "pairs",
      "method.rankPattern",
      "Ranks by module",
      "Name = rank, separated by semicolons.",
      "query = 8; value = 4",
    ),
    list("pairs", "method.alphaPattern", "Alphas by module", "The same for alpha.", "query = 32; value = 16"),
  ]),
  ...ofMethod("houlsby", [
    number("method.reductionFactor", "Reduction", "The bottleneck is the model's width divided by this."),
    select("method.nonLinearity", "Activation", "Between the two layers of the bottleneck.", [
      ["swish", "Swish"],
      ["gelu", "GELU"],
      ["relu", "ReLU"],
      ["tanh", "Tanh"],
    ]),
  ]),
  ...ofMethod("prefix", prefixFields),
];

const schedule: OptionField[] = [
  shared.numTrainEpochs,
  shared.learningRate,
  number("headLearningRate", "Head learning rate", "Peak rate of the head.", { unit: "per step" }),
  shared.lrSchedulerType,
  shared.warmupRatio,
  number("warmupSteps", "Warm-up steps", "The same in steps; set only one of the two.", { unit: "steps" }),
  number("layerLrDecay", "Layer decay", "Each layer's rate is the rate of the layer above it times this."),
  number(
    "unfreezeEverySteps",
    "Unfreeze by steps",
    "Unfreeze one more layer after this many steps; 0 for all at once.",
    {
      unit: "steps",
    },
  ),
  number("unfreezeEveryEpochs", "Unfreeze by epochs", "The same in epochs; set only one of the two.", {
    unit: "epochs",
  }),
  shared.trainBatchSize,
  shared.gradientAccumulationSteps,
  select("contrastive", "Contrastive stage", "Before training, move texts of one class closer together.", [
    ["on", "Yes"],
    ["false", "No"],
  ]),
  ...shownWhen(
    "contrastive",
    ["on"],
    [
      number("contrastive.steps", "Its steps", "Updates in that stage.", { unit: "steps" }),
      number("contrastive.batchSize", "Its batch size", "Texts per step, evenly from the classes.", { unit: "texts" }),
      number("contrastive.learningRate", "Its learning rate", "Peak rate of that stage.", { unit: "per step" }),
      number("contrastive.temperature", "Its temperature", "What similarities are divided by."),
    ],
  ),
];

const safeguards: OptionField[] = [
  shared.validationSplit,
  flag("skipBad", "Leave out bad rows", "Examples that the model cannot read, and labels with a single example."),
  shared.earlyStoppingPatience("epochs"),
  number("dropout", "Dropout", "Chance that a hidden value is dropped in training."),
  shared.weightDecay,
  flag("decayBiasAndNorm", "Decay everything", "Decay biases and norms as well."),
  number("mixout", "Mixout", "Chance that a weight takes its pretrained value for a step; full fine-tuning only."),
  number("l2Sp", "L2-SP", "Pulls the weights towards their pretrained values."),
  shared.maxGradNorm,
];

const seeds: OptionField[] = [
  number("seeds", "Number of seeds", "Runs with different seeds on one split; the best is kept."),
  shared.seed,
  number("headSeed", "Head seed", "Initial values of head and adapter.", { empty: "same as the seed" }),
  number("dataSeed", "Data seed", "Order of the rows, and dropout.", { empty: "same as the seed" }),
];

const advanced: OptionField[] = [
  shared.maxLength("Tokens used of each text; longer texts are truncated."),
  shared.gradientCheckpointing,
  flag("frozenCache", "Reuse frozen layers", "Compute the output of frozen layers once and store it."),
  ...shared.adam,
];

export const sortGroups: OptionGroup[] = described("classify", [
  { title: "Recipe", fields: recipe },
  { title: "Method", fields: method },
  { title: "Schedule", fields: schedule },
  { title: "Safeguards", fields: safeguards },
  { title: "Seeds", fields: seeds },
  { title: "Advanced", fields: advanced },
]);

export const sortFields = fieldsOf(sortGroups);
