// Generated from the types of src by `npm run types`; a test fails if it is stale. Do not edit.

/** One option of a call: what the engine takes, checks and does with it. */
export interface OptionSpec {
  /** As it is spelt; `contrastive.steps` or `method.r` for a field of an object. */
  name: string;
  /** Its TypeScript type. */
  type: string;
  /** The method that has it, of a field of `method`. */
  method?: string;
  /** What is used if it is left out; missing if that depends on others, on the model or on the data. */
  default?: unknown;
  /** Whether the recipe chooses it if it is left out. */
  byRecipe?: true;
  /** The smallest number, or the number that it must be above. */
  min?: number;
  minExcluded?: true;
  /** The largest number, or the number that it must be below. */
  max?: number;
  maxExcluded?: true;
  /** The words that it may be. */
  values?: readonly string[];
  /** What it does. */
  doc: string;
}

/** By the call that takes them. */
export const OPTIONS = {
  "classify": [
    {
      "name": "recipe",
      "type": "RecipeName",
      "default": "balanced",
      "values": [
        "fast",
        "balanced",
        "best"
      ],
      "doc": "Fills what is left out."
    },
    {
      "name": "head",
      "type": "HeadChoice",
      "default": "auto",
      "values": [
        "auto",
        "cls",
        "mean"
      ],
      "doc": "Which head classifies."
    },
    {
      "name": "headInit",
      "type": "HeadInit",
      "default": "probe",
      "values": [
        "probe",
        "random"
      ],
      "doc": "Where it starts."
    },
    {
      "name": "contrastive",
      "type": "Contrastive",
      "byRecipe": true,
      "doc": "A stage before the head's."
    },
    {
      "name": "contrastive.steps",
      "type": "number",
      "default": 20,
      "min": 1,
      "max": 100000,
      "doc": "Optimiser steps."
    },
    {
      "name": "contrastive.batchSize",
      "type": "number",
      "default": 32,
      "min": 4,
      "max": 1024,
      "doc": "Texts a step."
    },
    {
      "name": "contrastive.learningRate",
      "type": "number",
      "default": 0.001,
      "min": 0,
      "doc": "Peak rate."
    },
    {
      "name": "contrastive.temperature",
      "type": "number",
      "default": 0.1,
      "min": 0,
      "minExcluded": true,
      "max": 1,
      "doc": "What similarities are divided by."
    },
    {
      "name": "headLearningRate",
      "type": "number",
      "byRecipe": true,
      "min": 0,
      "doc": "Peak rate of the head."
    },
    {
      "name": "dropout",
      "type": "number",
      "default": 0.0,
      "min": 0,
      "max": 1,
      "maxExcluded": true,
      "doc": "Of hidden states, attention weights and the head's input."
    },
    {
      "name": "labelDescriptions",
      "type": "Record<string, string>",
      "doc": "What zero-shot compares a text with, by label."
    },
    {
      "name": "frozenCache",
      "type": "boolean",
      "default": true,
      "doc": "Compute the frozen lower part once."
    },
    {
      "name": "skipBad",
      "type": "boolean",
      "default": false,
      "doc": "Leaves examples out that cannot be learnt (a blank text or label, a token that the model lacks, a label with one example), and lists them in `started`; without it the first of them is an error."
    },
    {
      "name": "method",
      "type": "Method",
      "byRecipe": true,
      "doc": "What is trained."
    },
    {
      "name": "method.r",
      "type": "number",
      "method": "lora",
      "default": 4,
      "min": 1,
      "max": 1024,
      "doc": "Rank of the delta."
    },
    {
      "name": "method.loraAlpha",
      "type": "number",
      "method": "lora",
      "default": 16.0,
      "min": 0,
      "minExcluded": true,
      "doc": "The delta is scaled by `loraAlpha / r`."
    },
    {
      "name": "method.loraDropout",
      "type": "number",
      "method": "lora",
      "default": 0.0,
      "min": 0,
      "max": 1,
      "maxExcluded": true,
      "doc": "Probability of zeroing an input of A while training, in [0, 1)."
    },
    {
      "name": "method.targetModules",
      "type": "TargetModules",
      "method": "lora",
      "doc": "Names, name suffixes, or one regular expression that matches a whole module name; `all-linear` for every linear layer that the head reads. Left out, every linear layer of a transformer layer."
    },
    {
      "name": "method.excludeModules",
      "type": "TargetModules",
      "method": "lora",
      "doc": "Modules that get no delta although `targetModules` names them, by the same rules."
    },
    {
      "name": "method.layersToTransform",
      "type": "number[]",
      "method": "lora",
      "doc": "Only in these layers, counted from 0 at the bottom; in all if left out."
    },
    {
      "name": "method.useRslora",
      "type": "boolean",
      "method": "lora",
      "default": false,
      "doc": "Scale by `loraAlpha / sqrt(r)` instead (Kalajdzievski 2023)."
    },
    {
      "name": "method.useDora",
      "type": "boolean",
      "method": "lora",
      "default": false,
      "doc": "DoRA: train each output's magnitude next to its direction (Liu et al. 2024)."
    },
    {
      "name": "method.initLoraWeights",
      "type": "true | \"gaussian\" | \"pissa\"",
      "method": "lora",
      "default": true,
      "doc": "How the factors start: `true` is Kaiming-uniform A and B = 0, `\"gaussian\"` a normal A and B = 0; `\"pissa\"` takes the principal singular vectors of the weight (Meng et al. 2024) and leaves as plain LoRA of twice the rank."
    },
    {
      "name": "method.rankPattern",
      "type": "Record<string, number>",
      "method": "lora",
      "doc": "Ranks of modules whose name ends in the key, a regular expression; the first key that matches counts."
    },
    {
      "name": "method.alphaPattern",
      "type": "Record<string, number>",
      "method": "lora",
      "doc": "Alphas, by the same rule."
    },
    {
      "name": "method.bias",
      "type": "Bias",
      "method": "lora",
      "default": "none",
      "values": [
        "none",
        "all",
        "lora_only"
      ],
      "doc": "Which biases of the frozen model train too."
    },
    {
      "name": "method.reductionFactor",
      "type": "number",
      "method": "houlsby",
      "default": 16,
      "min": 1,
      "max": 4096,
      "doc": "The bottleneck's width is the hidden size divided by this."
    },
    {
      "name": "method.nonLinearity",
      "type": "NonLinearity",
      "method": "houlsby",
      "default": "swish",
      "values": [
        "swish",
        "relu",
        "tanh",
        "gelu"
      ],
      "doc": "The function between its two layers."
    },
    {
      "name": "method.numVirtualTokens",
      "type": "number",
      "method": "prefix",
      "default": 10,
      "min": 1,
      "max": 1024,
      "doc": "Learned keys and values a layer. As many positions fewer are left for a text."
    },
    {
      "name": "learningRate",
      "type": "number",
      "byRecipe": true,
      "min": 0,
      "doc": "Peak rate of what trains below the head."
    },
    {
      "name": "lrSchedulerType",
      "type": "LrSchedulerType",
      "default": "linear",
      "values": [
        "linear",
        "cosine",
        "constant",
        "slantedTriangular"
      ],
      "doc": "Shape of the rates."
    },
    {
      "name": "warmupRatio",
      "type": "number",
      "byRecipe": true,
      "min": 0,
      "max": 1,
      "doc": "Share of the steps in which the rate rises from 0; 0 without either."
    },
    {
      "name": "warmupSteps",
      "type": "number",
      "doc": "The same as a number of steps."
    },
    {
      "name": "layerLrDecay",
      "type": "number",
      "default": 1.0,
      "min": 0,
      "minExcluded": true,
      "max": 1,
      "doc": "Each layer's rate is the one above it times this (Howard & Ruder 2018)."
    },
    {
      "name": "unfreezeEverySteps",
      "type": "number",
      "default": 0,
      "doc": "Steps until one more group of layers trains, from the top down; 0 for all at once."
    },
    {
      "name": "unfreezeEveryEpochs",
      "type": "number",
      "default": 0,
      "doc": "The same in epochs."
    },
    {
      "name": "numTrainEpochs",
      "type": "number",
      "byRecipe": true,
      "min": 0,
      "max": 1000,
      "doc": "Passes over the training rows."
    },
    {
      "name": "trainBatchSize",
      "type": "number",
      "default": 16,
      "min": 1,
      "max": 1024,
      "doc": "Rows per forward pass."
    },
    {
      "name": "gradientAccumulationSteps",
      "type": "number",
      "default": 1,
      "min": 1,
      "max": 1024,
      "doc": "Forward passes per optimizer step."
    },
    {
      "name": "gradientCheckpointing",
      "type": "boolean",
      "doc": "Compute each layer a second time in the backward pass instead of keeping its inside; left out, only if memory asks for it."
    },
    {
      "name": "weightDecay",
      "type": "number",
      "default": 0.01,
      "min": 0,
      "doc": "AdamW's decoupled decay."
    },
    {
      "name": "decayBiasAndNorm",
      "type": "boolean",
      "default": false,
      "doc": "Whether biases and norms decay too."
    },
    {
      "name": "mixout",
      "type": "number",
      "default": 0.0,
      "min": 0,
      "max": 1,
      "maxExcluded": true,
      "doc": "Probability that a weight is its pretrained value in a step (Lee et al. 2020); for `full` tuning."
    },
    {
      "name": "l2Sp",
      "type": "number",
      "default": 0.0,
      "min": 0,
      "doc": "Strength of the pull towards the start (L2-SP, Li et al. 2018)."
    },
    {
      "name": "adamBeta1",
      "type": "number",
      "default": 0.9,
      "min": 0,
      "max": 1,
      "maxExcluded": true,
      "doc": "AdamW's decay of the mean gradient."
    },
    {
      "name": "adamBeta2",
      "type": "number",
      "default": 0.999,
      "min": 0,
      "max": 1,
      "maxExcluded": true,
      "doc": "AdamW's decay of the mean squared gradient."
    },
    {
      "name": "adamEpsilon",
      "type": "number",
      "default": 1e-8,
      "min": 0,
      "minExcluded": true,
      "max": 1,
      "doc": "AdamW's guard against division by zero."
    },
    {
      "name": "maxGradNorm",
      "type": "number",
      "default": 1.0,
      "min": 0,
      "doc": "Largest global norm of the gradients; 0 for no clipping."
    },
    {
      "name": "maxLength",
      "type": "number",
      "min": 3,
      "max": 65536,
      "doc": "Tokens kept of a text, special tokens included; left out, the task's own number, or the model's positions if those are fewer."
    },
    {
      "name": "validationSplit",
      "type": "number",
      "default": 0.15,
      "min": 0,
      "minExcluded": true,
      "max": 0.9,
      "doc": "Share of the rows that judges and never trains."
    },
    {
      "name": "evalSteps",
      "type": "number",
      "default": 0,
      "doc": "Steps between evaluations; 0 for one an epoch."
    },
    {
      "name": "earlyStoppingPatience",
      "type": "number",
      "default": 3,
      "doc": "Evaluations without improvement before training stops; 0 for never."
    },
    {
      "name": "seed",
      "type": "number",
      "default": 42,
      "min": 0,
      "max": 9007199254739991.0,
      "doc": "Every random choice follows from it."
    },
    {
      "name": "headSeed",
      "type": "number",
      "min": 0,
      "max": 9007199254739991.0,
      "doc": "Start of head and adapter; `seed` without it."
    },
    {
      "name": "dataSeed",
      "type": "number",
      "min": 0,
      "max": 9007199254739991.0,
      "doc": "Order of the rows, dropout and mixout; `seed` without it."
    },
    {
      "name": "seeds",
      "type": "number",
      "byRecipe": true,
      "min": 1,
      "max": 100,
      "doc": "Runs with seeds counted up, of which the best is kept."
    }
  ],
  "language": [
    {
      "name": "packing",
      "type": "boolean",
      "default": false,
      "doc": "Several short texts in one row, none of which sees another."
    },
    {
      "name": "completionOnlyLoss",
      "type": "boolean",
      "default": true,
      "doc": "Learn the answers alone, not every token. Plain text is learnt whole either way."
    },
    {
      "name": "fewShotExamples",
      "type": "number",
      "default": 3,
      "min": 0,
      "max": 64,
      "doc": "Training texts before each validation text in the baseline that does not train; 0 for no such baseline."
    },
    {
      "name": "samplePrompts",
      "type": "string[]",
      "default": [],
      "doc": "Prompts that are completed at every evaluation; without any, two of the validation texts'."
    },
    {
      "name": "sampleTokens",
      "type": "number",
      "default": 32,
      "min": 0,
      "max": 4096,
      "doc": "Tokens of each such completion; 0 for none."
    },
    {
      "name": "skipBad",
      "type": "boolean",
      "default": false,
      "doc": "Leaves rows out that cannot be learnt (refused by the chat template, an answer too long), and lists them in `started`; without it the first of them is an error."
    },
    {
      "name": "method",
      "type": "Method",
      "default": {
        "type": "lora"
      },
      "doc": "What is trained."
    },
    {
      "name": "method.r",
      "type": "number",
      "method": "lora",
      "default": 8,
      "min": 1,
      "max": 1024,
      "doc": "Rank of the delta."
    },
    {
      "name": "method.loraAlpha",
      "type": "number",
      "method": "lora",
      "default": 16.0,
      "min": 0,
      "minExcluded": true,
      "doc": "The delta is scaled by `loraAlpha / r`."
    },
    {
      "name": "method.loraDropout",
      "type": "number",
      "method": "lora",
      "default": 0.0,
      "min": 0,
      "max": 1,
      "maxExcluded": true,
      "doc": "Probability of zeroing an input of A while training, in [0, 1)."
    },
    {
      "name": "method.targetModules",
      "type": "TargetModules",
      "method": "lora",
      "default": "all-linear",
      "doc": "Names, name suffixes, or one regular expression that matches a whole module name; `all-linear` for every linear layer that the head reads. Left out, every linear layer of a transformer layer."
    },
    {
      "name": "method.excludeModules",
      "type": "TargetModules",
      "method": "lora",
      "doc": "Modules that get no delta although `targetModules` names them, by the same rules."
    },
    {
      "name": "method.layersToTransform",
      "type": "number[]",
      "method": "lora",
      "doc": "Only in these layers, counted from 0 at the bottom; in all if left out."
    },
    {
      "name": "method.useRslora",
      "type": "boolean",
      "method": "lora",
      "default": false,
      "doc": "Scale by `loraAlpha / sqrt(r)` instead (Kalajdzievski 2023)."
    },
    {
      "name": "method.useDora",
      "type": "boolean",
      "method": "lora",
      "default": false,
      "doc": "DoRA: train each output's magnitude next to its direction (Liu et al. 2024)."
    },
    {
      "name": "method.initLoraWeights",
      "type": "true | \"gaussian\" | \"pissa\"",
      "method": "lora",
      "default": true,
      "doc": "How the factors start: `true` is Kaiming-uniform A and B = 0, `\"gaussian\"` a normal A and B = 0; `\"pissa\"` takes the principal singular vectors of the weight (Meng et al. 2024) and leaves as plain LoRA of twice the rank."
    },
    {
      "name": "method.rankPattern",
      "type": "Record<string, number>",
      "method": "lora",
      "doc": "Ranks of modules whose name ends in the key, a regular expression; the first key that matches counts."
    },
    {
      "name": "method.alphaPattern",
      "type": "Record<string, number>",
      "method": "lora",
      "doc": "Alphas, by the same rule."
    },
    {
      "name": "method.bias",
      "type": "Bias",
      "method": "lora",
      "default": "none",
      "values": [
        "none",
        "all",
        "lora_only"
      ],
      "doc": "Which biases of the frozen model train too."
    },
    {
      "name": "method.reductionFactor",
      "type": "number",
      "method": "houlsby",
      "default": 16,
      "min": 1,
      "max": 4096,
      "doc": "The bottleneck's width is the hidden size divided by this."
    },
    {
      "name": "method.nonLinearity",
      "type": "NonLinearity",
      "method": "houlsby",
      "default": "swish",
      "values": [
        "swish",
        "relu",
        "tanh",
        "gelu"
      ],
      "doc": "The function between its two layers."
    },
    {
      "name": "method.numVirtualTokens",
      "type": "number",
      "method": "prefix",
      "default": 10,
      "min": 1,
      "max": 1024,
      "doc": "Learned keys and values a layer. As many positions fewer are left for a text."
    },
    {
      "name": "learningRate",
      "type": "number",
      "default": 0.001,
      "min": 0,
      "doc": "Peak rate of what trains below the head."
    },
    {
      "name": "lrSchedulerType",
      "type": "LrSchedulerType",
      "default": "cosine",
      "values": [
        "linear",
        "cosine",
        "constant",
        "slantedTriangular"
      ],
      "doc": "Shape of the rates."
    },
    {
      "name": "warmupRatio",
      "type": "number",
      "default": 0.05,
      "min": 0,
      "max": 1,
      "doc": "Share of the steps in which the rate rises from 0; 0 without either."
    },
    {
      "name": "warmupSteps",
      "type": "number",
      "doc": "The same as a number of steps."
    },
    {
      "name": "layerLrDecay",
      "type": "number",
      "default": 1.0,
      "min": 0,
      "minExcluded": true,
      "max": 1,
      "doc": "Each layer's rate is the one above it times this (Howard & Ruder 2018)."
    },
    {
      "name": "unfreezeEverySteps",
      "type": "number",
      "default": 0,
      "doc": "Steps until one more group of layers trains, from the top down; 0 for all at once."
    },
    {
      "name": "unfreezeEveryEpochs",
      "type": "number",
      "default": 0,
      "doc": "The same in epochs."
    },
    {
      "name": "numTrainEpochs",
      "type": "number",
      "default": 3,
      "min": 1,
      "max": 1000,
      "doc": "Passes over the training rows."
    },
    {
      "name": "trainBatchSize",
      "type": "number",
      "default": 4,
      "min": 1,
      "max": 1024,
      "doc": "Rows per forward pass."
    },
    {
      "name": "gradientAccumulationSteps",
      "type": "number",
      "default": 1,
      "min": 1,
      "max": 1024,
      "doc": "Forward passes per optimizer step."
    },
    {
      "name": "gradientCheckpointing",
      "type": "boolean",
      "doc": "Compute each layer a second time in the backward pass instead of keeping its inside; left out, only if memory asks for it."
    },
    {
      "name": "weightDecay",
      "type": "number",
      "default": 0.0,
      "min": 0,
      "doc": "AdamW's decoupled decay."
    },
    {
      "name": "decayBiasAndNorm",
      "type": "boolean",
      "default": false,
      "doc": "Whether biases and norms decay too."
    },
    {
      "name": "mixout",
      "type": "number",
      "default": 0.0,
      "min": 0,
      "max": 1,
      "maxExcluded": true,
      "doc": "Probability that a weight is its pretrained value in a step (Lee et al. 2020); for `full` tuning."
    },
    {
      "name": "l2Sp",
      "type": "number",
      "default": 0.0,
      "min": 0,
      "doc": "Strength of the pull towards the start (L2-SP, Li et al. 2018)."
    },
    {
      "name": "adamBeta1",
      "type": "number",
      "default": 0.9,
      "min": 0,
      "max": 1,
      "maxExcluded": true,
      "doc": "AdamW's decay of the mean gradient."
    },
    {
      "name": "adamBeta2",
      "type": "number",
      "default": 0.999,
      "min": 0,
      "max": 1,
      "maxExcluded": true,
      "doc": "AdamW's decay of the mean squared gradient."
    },
    {
      "name": "adamEpsilon",
      "type": "number",
      "default": 1e-8,
      "min": 0,
      "minExcluded": true,
      "max": 1,
      "doc": "AdamW's guard against division by zero."
    },
    {
      "name": "maxGradNorm",
      "type": "number",
      "default": 1.0,
      "min": 0,
      "doc": "Largest global norm of the gradients; 0 for no clipping."
    },
    {
      "name": "maxLength",
      "type": "number",
      "min": 8,
      "max": 65536,
      "doc": "Tokens kept of a text, special tokens included; left out, the task's own number, or the model's positions if those are fewer."
    },
    {
      "name": "validationSplit",
      "type": "number",
      "default": 0.1,
      "min": 0,
      "minExcluded": true,
      "max": 0.9,
      "doc": "Share of the rows that judges and never trains."
    },
    {
      "name": "evalSteps",
      "type": "number",
      "default": 0,
      "doc": "Steps between evaluations; 0 for one an epoch."
    },
    {
      "name": "earlyStoppingPatience",
      "type": "number",
      "default": 2,
      "doc": "Evaluations without improvement before training stops; 0 for never."
    },
    {
      "name": "seed",
      "type": "number",
      "default": 42,
      "min": 0,
      "max": 9007199254739991.0,
      "doc": "Every random choice follows from it."
    },
    {
      "name": "headSeed",
      "type": "number",
      "min": 0,
      "max": 9007199254739991.0,
      "doc": "Start of head and adapter; `seed` without it."
    },
    {
      "name": "dataSeed",
      "type": "number",
      "min": 0,
      "max": 9007199254739991.0,
      "doc": "Order of the rows, dropout and mixout; `seed` without it."
    },
    {
      "name": "seeds",
      "type": "number",
      "default": 1,
      "min": 1,
      "max": 100,
      "doc": "Runs with seeds counted up, of which the best is kept."
    }
  ],
  "generate": [
    {
      "name": "maxNewTokens",
      "type": "number",
      "default": 128,
      "min": 1,
      "max": 1048576,
      "doc": "Tokens at most."
    },
    {
      "name": "doSample",
      "type": "boolean",
      "default": false,
      "doc": "Draw from the distribution; if not, the likeliest token is taken."
    },
    {
      "name": "temperature",
      "type": "number",
      "default": 1.0,
      "min": 0,
      "minExcluded": true,
      "doc": "What logits are divided by where it draws."
    },
    {
      "name": "topK",
      "type": "number",
      "default": 50,
      "doc": "Draw from this many of the likeliest tokens, and those as likely as the last of them; 0 for all."
    },
    {
      "name": "topP",
      "type": "number",
      "default": 1.0,
      "min": 0,
      "minExcluded": true,
      "max": 1,
      "doc": "Draw from the likeliest tokens whose probabilities together reach this."
    },
    {
      "name": "repetitionPenalty",
      "type": "number",
      "default": 1.0,
      "min": 0,
      "minExcluded": true,
      "doc": "Divides the positive logits of tokens that are in the text already and multiplies negative ones; 1 for none (Keskar et al. 2019)."
    },
    {
      "name": "seed",
      "type": "number",
      "default": 42,
      "min": 0,
      "max": 9007199254739991.0,
      "doc": "Every draw follows from it."
    },
    {
      "name": "stop",
      "type": "string[]",
      "default": [],
      "doc": "Texts that end a completion; they are left out of it."
    }
  ],
  "choose": [
    {
      "name": "template",
      "type": "string",
      "default": "Text: {text}\nLabels: {labels}\nLabel:",
      "doc": "A prompt with `{text}` in it, and `{labels}` where the labels are to be named; a label follows after a space."
    },
    {
      "name": "normalization",
      "type": "Normalization",
      "default": "sum",
      "values": [
        "sum",
        "characters",
        "tokens"
      ],
      "doc": "What labels are ranked by."
    }
  ]
} as const satisfies Record<string, readonly OptionSpec[]>;
