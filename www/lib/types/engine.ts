// Generated from the types of src by `npm run types`; a test fails if it is stale. Do not edit.
// Sizes are bytes, durations milliseconds unless a name says seconds, losses mean cross-entropies in nats.

/** Which baseline. */
export type Baseline = "zeroShot" | "centroid" | "probe";

/** What no fine-tuning reaches: one value for each of the three baselines, on the same rows. */
export interface Baselines {
  /** Similarity of the text to each label's name or description; nothing is learnt. */
  zeroShot: Report;
  /** Similarity to the mean of each label's training texts. */
  centroid: Report;
  /** A linear head fitted on the frozen model's features. */
  probe: Report;
}

/** Which biases of the frozen model train too. */
export type Bias =
  | "none"
  /** Every bias that the head reads, norms' included. */
  | "all"
  /** Those of the layers that have a delta. */
  | "lora_only";

/** One text's answer. */
export interface Choice {
  label: string;
  /** The softmax of what the labels are ranked by, in their order. */
  probabilities: number[];
  /** Of each label's words, in nats. */
  logLikelihoods: number[];
  /** Of each label's words. */
  tokens: number[];
  labels: string[];
}

/** How texts and labels are put to a model. */
export interface ChoiceOptions {
  /** A prompt with `{text}` in it, and `{labels}` where the labels are to be named; a label follows after a space. Default: `"Text: {text}\nLabels: {labels}\nLabel:"`. */
  template?: string | undefined;
  /** What labels are ranked by. Default: `"sum"`. */
  normalization?: Normalization | undefined;
}

/** How one label fared. */
export interface ClassReport {
  /** The label's name. */
  label: string;
  /** Share of the rows given this label that have it; 0 where no row was given it. */
  precision: number;
  /** Share of the rows of this label that were given it; 0 if there is none. */
  recall: number;
  /** Harmonic mean of precision and recall; 0 where both are 0. */
  f1: number;
  /** Rows whose true label this is. */
  support: number;
  /** Only where texts may have several labels: the probability above which a text is given this one. */
  threshold: number | null;
}

/** What the model reaches without fine-tuning. */
export interface ClassifyBaselines {
  validation: Baselines;
}

/**
 * What happens while a run goes on, in order: started, progress*, baselines, recipe, then per seed: seed? (step | evaluation)* seedFinished?, and in
 * the end finished. `S`, `B`, `O`, `E` and `F` are what a task adds to `started`, `baselines`, `recipe`, `evaluation` and `finished`.
 */
export type ClassifyEvent =
  /** Data and options are accepted; nothing is computed yet. */
  | {
      type: "started";
      /** Numbers that train, and all numbers of the network. */
      trainedParameters: number;
      totalParameters: number;
      /** Estimated peak, bytes. */
      memoryEstimate: number;
      /** What a person should know of their data. */
      warnings: string[];
      labels: string[];
      /** Whether each row has one label, or any number of them. */
      problemType: ProblemType;
      trainRows: number;
      validationRows: number;
      /** Examples that cannot be learnt and were left out (`skipBad`). */
      skippedRows: SkippedRow[];
      head: HeadKind;
      /** A fingerprint of the validation rows; reveals no text. */
      itemsKey: string;
      /** Layers whose output is computed once and reused. */
      cachedLayers: number;
    }
  /** `done` of `total` rows or batches have passed the untuned model. */
  | {
      type: "progress";
      done: number;
      total: number;
    }
  /** What the model reaches without fine-tuning. */
  | ClassifyBaselines & {
      type: "baselines";
    }
  /** All options as the run takes them, and why those that were left out are so. */
  | {
      type: "recipe";
      options: ResolvedClassifyOptions;
      reasons: string[];
      /** Optimizer steps of all stages. */
      totalSteps: number;
      epochs: number;
    }
  /** One of several runs begins. */
  | {
      type: "seed";
      /** From 0. */
      index: number;
      count: number;
      headSeed: number;
      dataSeed: number;
    }
  /** One optimizer step. */
  | {
      type: "step";
      stage: Stage;
      /** From 1. */
      step: number;
      totalSteps: number;
      /** From 1; 0 in the contrastive stage. */
      epoch: number;
      /** Mean over the step's rows or targets. */
      loss: number;
      learningRate: number;
      headLearningRate: number;
      /** Bottom to top. */
      groups: GroupRate[];
      /** Tokens that were read, padding left out. */
      tokens: number;
      /** What the loss is a mean over: rows, or predicted tokens. */
      targets: number;
      /** Time that the step took, until its loss was read back. */
      ms: number;
    }
  /** The validation rows are scored. */
  | {
      type: "evaluation";
      stage: Stage;
      step: number;
      epoch: number;
      /** Whether this is the best so far. */
      best: boolean;
      validation: Report;
    }
  /** One of several runs has ended. */
  | {
      type: "seedFinished";
      index: number;
      headSeed: number;
      dataSeed: number;
      reason: FinishReason;
      /**
       * Best on the validation rows, the larger the better: accuracy, or minus the loss of a language model; `None` for a run that ended before
       * anything of it was scored.
       */
      value: number | null;
      /** The loss of that state. */
      loss: number | null;
      /** Epoch and step of that state; 0 for the state before training. */
      keptEpoch: number;
      keptStep: number;
      steps: number;
    }
  /** The last event. */
  | ClassifyFinished & {
      type: "finished";
    };

/** How a run ended and what it found. */
export interface ClassifyFinished {
  reason: FinishReason;
  message: string;
  /** The error that ended it, if one did. */
  error?: string | undefined;
  /** Its kind. */
  errorCode?: ErrorCode | undefined;
  /** Step and epoch of the state that is kept; 0 for the state before training. */
  keptStep: number;
  keptEpoch: number;
  steps: number;
  /** Of each step. */
  trainLoss: number[];
  /** Whether tuning beat the baselines. */
  verdict: string;
  seeds?: SeedSummary | undefined;
  options: ResolvedClassifyOptions;
  trainedParameters: number;
  totalParameters: number;
  /** Of the method's weights in an export. */
  exportBytes: number;
  keptStage: KeptStage;
  /** On the validation rows. */
  evaluation: Evaluation;
  forgetting: Forgetting;
}

/** All settings of a classifier's run. */
export interface ClassifyOptions {
  /** Fills what is left out. Default: `"balanced"`. */
  recipe?: RecipeName | undefined;
  /** Which head classifies. Default: `"auto"`. */
  head?: HeadChoice | undefined;
  /** Where it starts. Default: `"probe"`. */
  headInit?: HeadInit | undefined;
  /** A stage before the head's. Default: by recipe. */
  contrastive?: Contrastive | undefined;
  /** Peak rate of the head. Default: by recipe. */
  headLearningRate?: number | undefined;
  /** Of hidden states, attention weights and the head's input. Default: `0`. */
  dropout?: number | undefined;
  /** What zero-shot compares a text with, by label. */
  labelDescriptions?: Record<string, string> | undefined;
  /** Compute the frozen lower part once. Default: `true`. */
  frozenCache?: boolean | undefined;
  /**
   * Leaves examples out that cannot be learnt (a blank text or label, a token that the model lacks, a label with one example), and lists them
   * in `started`; without it the first of them is an error. Default: `false`.
   */
  skipBad?: boolean | undefined;
  /** What is trained. Default: by recipe. */
  method?: Method | undefined;
  /** Peak rate of what trains below the head. Default: by recipe. */
  learningRate?: number | undefined;
  /** Shape of the rates. Default: `"linear"`. */
  lrSchedulerType?: LrSchedulerType | undefined;
  /** Share of the steps in which the rate rises from 0; 0 without either. Default: by recipe. */
  warmupRatio?: number | undefined;
  /** The same as a number of steps. */
  warmupSteps?: number | undefined;
  /** Each layer's rate is the one above it times this (Howard & Ruder 2018). Default: `1`. */
  layerLrDecay?: number | undefined;
  /** Steps until one more group of layers trains, from the top down; 0 for all at once. Default: `0`. */
  unfreezeEverySteps?: number | undefined;
  /** The same in epochs. Default: `0`. */
  unfreezeEveryEpochs?: number | undefined;
  /** Passes over the training rows. Default: by recipe. */
  numTrainEpochs?: number | undefined;
  /** Rows per forward pass. Default: `16`. */
  trainBatchSize?: number | undefined;
  /** Forward passes per optimizer step. Default: `1`. */
  gradientAccumulationSteps?: number | undefined;
  /** Compute each layer a second time in the backward pass instead of keeping its inside; left out, only if memory asks for it. */
  gradientCheckpointing?: boolean | undefined;
  /** AdamW's decoupled decay. Default: `0.01`. */
  weightDecay?: number | undefined;
  /** Whether biases and norms decay too. Default: `false`. */
  decayBiasAndNorm?: boolean | undefined;
  /** Probability that a weight is its pretrained value in a step (Lee et al. 2020); for `full` tuning. Default: `0`. */
  mixout?: number | undefined;
  /** Strength of the pull towards the start (L2-SP, Li et al. 2018). Default: `0`. */
  l2Sp?: number | undefined;
  /** AdamW's decay of the mean gradient. Default: `0.9`. */
  adamBeta1?: number | undefined;
  /** AdamW's decay of the mean squared gradient. Default: `0.999`. */
  adamBeta2?: number | undefined;
  /** AdamW's guard against division by zero. Default: `0.00000001`. */
  adamEpsilon?: number | undefined;
  /** Largest global norm of the gradients; 0 for no clipping. Default: `1`. */
  maxGradNorm?: number | undefined;
  /** Tokens kept of a text, special tokens included; left out, the task's own number, or the model's positions if those are fewer. */
  maxLength?: number | undefined;
  /** Share of the rows that judges and never trains. Default: `0.15`. */
  validationSplit?: number | undefined;
  /** Steps between evaluations; 0 for one an epoch. Default: `0`. */
  evalSteps?: number | undefined;
  /** Evaluations without improvement before training stops; 0 for never. Default: `3`. */
  earlyStoppingPatience?: number | undefined;
  /** Every random choice follows from it. Default: `42`. */
  seed?: number | undefined;
  /** Start of head and adapter; `seed` without it. */
  headSeed?: number | undefined;
  /** Order of the rows, dropout and mixout; `seed` without it. */
  dataSeed?: number | undefined;
  /** Runs with seeds counted up, of which the best is kept. Default: by recipe. */
  seeds?: number | undefined;
}

/**
 * Two settings on the same test rows, by the paired bootstrap (Efron & Tibshirani 1993, chapters 13 and 16; Koehn
 * 2004). It knows nothing but these rows: of a handful it is too sure.
 */
export interface Comparison {
  /** Accuracy (or micro F1) of B minus that of A, from -1 to 1. */
  difference: number;
  /** 2.5% percentile of the resampled differences. */
  low: number;
  /** 97.5% percentile of the resampled differences. */
  high: number;
  /**
   * Two-sided: the share of resampled differences that lie at least as far from `difference` as `difference` lies
   * from 0, with one added above and below, so that it is never 0.
   */
  pValue: number;
  /** Whether `low` to `high` holds 0: these rows do not distinguish the two. */
  withinNoise: boolean;
  /** Test rows. */
  count: number;
}

/** A prompt and what a model wrote after it. */
export interface Completion {
  prompt: string;
  text: string;
}

/** `false`, or the stage's settings. */
export type Contrastive = false | ContrastiveOptions;

/** The stage before the head's; see `contrast`. */
export interface ContrastiveOptions {
  /** Optimiser steps. Default: `20`. */
  steps?: number | undefined;
  /** Texts a step. Default: `32`. */
  batchSize?: number | undefined;
  /** Peak rate. Default: `0.001`. */
  learningRate?: number | undefined;
  /** What similarities are divided by. Default: `0.1`. */
  temperature?: number | undefined;
}

/** Why a text ended. */
export type Ending =
  /** The model wrote a token that ends texts. */
  | "endOfText"
  /** One of the caller's stop texts came. */
  | "stopText"
  /** As many tokens as wanted, or as the model has positions for. */
  | "length"
  /** The caller ended it. */
  | "stopped";

/** The stable word for a kind of failure, `error.code` in JavaScript. */
export type ErrorCode =
  /** A file's bytes are not what its name promises. */
  | "invalidFile"
  /** A file that is needed is not among those given. */
  | "missingFile"
  /** A weight that the architecture needs is not in the checkpoint. */
  | "missingTensor"
  /** A weight has another shape than the configuration says. */
  | "wrongShape"
  /** A weight is stored in a type that is not read. */
  | "wrongDtype"
  /** A weight holds NaN or infinity. */
  | "notFinite"
  /** The configuration names a model or a setting of it that is not built here. */
  | "unsupportedModel"
  /** The tokenizer can produce ids that the embedding table has no row for. */
  | "tokenizerMismatch"
  /** The rows or texts given are not usable. */
  | "invalidData"
  /** An option is out of its range or does not go together with another. */
  | "invalidOption"
  /** The work would not fit into memory. */
  | "outOfMemory"
  /** WebGPU was asked for and is not available. */
  | "noWebgpu"
  /** A read from a file or the network failed. */
  | "readFailed"
  /** A call came in the wrong order, such as predicting before training. */
  | "invalidState"
  /** The device stopped answering or refused an operation. */
  | "deviceFailed"
  /** A fault of webtune itself: something happened that its code rules out. Worth a report. */
  | "internal"
  /** A signal fired, or the object that was called has been disposed of. Made by the package, not by the engine. */
  | "aborted"
  /** The engine panicked or its worker died; load anew. */
  | "crashed";

/** An error as JavaScript gets it: the text for a person, the rest for code. */
export interface ErrorReport {
  /** The kind of failure. */
  code: ErrorCode;
  /** One sentence for a person: the thing, what was expected and what was found. */
  message: string;
  /** The option that is wrong, as the caller spells it; a path such as `method.r` where it is inside another. */
  option?: string | undefined;
  /** The file that is wrong, missing or could not be read. */
  file?: string | undefined;
  /** The row of `file`, from 1, a table's header included. */
  row?: number | undefined;
  /** The tensor that is wrong or missing, by its name in the checkpoint. */
  tensor?: string | undefined;
  /** Bytes that the work would take. */
  needed?: number | undefined;
  /** Bytes that it may take. */
  limit?: number | undefined;
  /** An option that helps. */
  remedy?: Remedy | undefined;
}

/** One scored row. */
export interface EvaluatedRow {
  text: string;
  /** The second text of a pair. */
  textPair?: string | undefined;
  /** A list where texts may have several, as what was predicted. */
  label: Label;
  predicted: Label;
  /** Of the tuned model, in the order of the labels. */
  logits: number[];
  /** The linear probe's. */
  baselinePredicted: Label;
}

/** The tuned model next to the baselines, on the same rows. */
export interface Evaluation {
  labels: string[];
  /** Whether each row has one label, or any number of them. */
  problemType: ProblemType;
  baselines: Baselines;
  tuned: Report;
  /** The baseline of the highest accuracy, or micro F1 where rows may have several labels. */
  bestBaseline: Baseline;
  /** The tuned model against the best baseline. */
  comparison: Comparison;
  rows: EvaluatedRow[];
}

/** One labelled text, or a labelled pair of texts. */
export interface Example {
  /** What the model reads. */
  text: string;
  /** A second text, which is judged together with the first, such as a hypothesis. All examples of a run have one, or none has. */
  textPair?: string | undefined;
  /** What it should answer: a label, or a list of all that apply. One list among the rows makes all of them lists. */
  label: Label;
}

/** By whose tools the files are read. */
export type ExportFormat =
  /** PEFT's `adapter_model.safetensors` and `adapter_config.json`. */
  | "peft"
  /** A Sentence-Transformers folder, with an adapter or with all weights. */
  | "sentence-transformers"
  /** Weights by the names of Transformers: all of them, or of a probe the head alone. */
  | "transformers"
  /** AdapterHub's `adapter.safetensors`. */
  | "adapterhub"
  /** All weights, what was tuned folded in: a folder that loads without another library. */
  | "merged"
  /** llama.cpp's `--lora`. */
  | "gguf"
  /** A classifier as one graph in float32, what was tuned folded in: for transformers.js and onnxruntime. */
  | "onnx"
  /** The same with its encoder in float16, half as large. */
  | "onnx-fp16";

/** The untuned model with examples in the prompt instead of in the weights. */
export interface FewShot {
  /** Examples before each text; fewer than asked if the context is too short. */
  examples: number;
  /** Of the same targets as every other score. */
  likelihood: Likelihood;
}

/** Why a run ended. */
export type FinishReason =
  /** All epochs were trained. */
  | "completed"
  /** The validation rows stopped improving. */
  | "earlyStopping"
  /** The caller ended it. */
  | "stopped"
  /** The loss was no longer a number. */
  | "diverged"
  /** Other seeds did clearly better by this time. */
  | "unpromising"
  /** An error ended it; the best state before it is kept. */
  | "failed";

/** How much of the base model's geometry is left: 1 where tuning changed no direction. */
export interface Forgetting {
  /** Mean cosine between the base and the tuned model's vector of a sentence, from -1 to 1. */
  meanCosine: number;
  /** The cosine of the sentence that moved furthest. */
  lowest: number;
  /** Sentences compared. */
  sentences: number;
}

/** How the next token is chosen, by the names of transformers' `GenerationConfig`. */
export interface GenerationOptions {
  /** Tokens at most. Default: `128`. */
  maxNewTokens?: number | undefined;
  /** Draw from the distribution; if not, the likeliest token is taken. Default: `false`. */
  doSample?: boolean | undefined;
  /** What logits are divided by where it draws. Default: `1`. */
  temperature?: number | undefined;
  /** Draw from this many of the likeliest tokens, and those as likely as the last of them; 0 for all. Default: `50`. */
  topK?: number | undefined;
  /** Draw from the likeliest tokens whose probabilities together reach this. Default: `1`. */
  topP?: number | undefined;
  /** Divides the positive logits of tokens that are in the text already and multiplies negative ones; 1 for none (Keskar et al. 2019). Default: `1`. */
  repetitionPenalty?: number | undefined;
  /** Every draw follows from it. Default: `42`. */
  seed?: number | undefined;
  /** Texts that end a completion; they are left out of it. */
  stop?: string[] | undefined;
}

/** One group in one step. */
export interface GroupRate {
  name: string;
  learningRate: number;
  frozen: boolean;
}

/** Which head; `auto` leaves it to the model's files. */
export type HeadChoice = "auto" | "cls" | "mean";

/** Where the head starts. */
export type HeadInit =
  /** Fitted on frozen features (Kumar et al. 2022). What is kept is never worse on the validation rows than that fit. */
  | "probe"
  /** Random, as in PEFT's examples; the probe is still fitted, as a baseline. */
  | "random";

/** Which head classifies. */
export type HeadKind =
  /**
   * The family's own head, Hugging Face's `BertForSequenceClassification` and its like: a hidden layer over the first token
   * (ModernBERT: or over the mean), then a linear layer; of a decoder a linear layer without bias over the last token.
   */
  | "cls"
  /** Masked mean over the tokens, L2 normalisation, then a linear layer: for sentence-transformers models. */
  | "mean";

/** Which state was kept. */
export type KeptStage =
  /** The fitted head on the untuned model. */
  | "probe"
  /** The head fitted after the contrastive stage. */
  | "contrastive"
  /** An evaluation of the classifying stage. */
  | "classify";

/** One label, or the labels that apply: none, one or several. */
export type Label = string | string[];

/** How many rows have a label. */
export interface LabelCount {
  /** The label. */
  label: string;
  /** Rows with it. */
  count: number;
}

/** What the untuned model does. */
export interface LanguageBaselines {
  /** Of the validation texts; `None` if the run was stopped before all were scored. */
  base: Likelihood | null;
  fewShot: FewShot | null;
  completions: Completion[];
}

/** What a run would take and what the engine would decide. */
export interface LanguageEstimate {
  /** Bytes at the peak, by what takes them. */
  estimate: MemoryEstimate;
  /** All of them. */
  total: number;
  /** Bytes that the engine plans with. */
  limit: number;
  /** Bytes of the largest tensor of the run. */
  largestTensor: number;
  /** Bytes of the largest tensor that the graphics card holds; absent on the CPU engine. */
  largestTensorLimit?: number | undefined;
  /** Rows per forward pass. */
  trainBatchSize: number;
  /** Tokens kept of a text. */
  maxLength: number;
  /** Whether layers are computed twice. */
  gradientCheckpointing: boolean;
  /** What a person could do, if the run does not fit. */
  advice?: string | undefined;
}

/**
 * What happens while a run goes on, in order: started, progress*, baselines, recipe, then per seed: seed? (step | evaluation)* seedFinished?, and in
 * the end finished. `S`, `B`, `O`, `E` and `F` are what a task adds to `started`, `baselines`, `recipe`, `evaluation` and `finished`.
 */
export type LanguageEvent =
  /** Data and options are accepted; nothing is computed yet. */
  | {
      type: "started";
      /** Numbers that train, and all numbers of the network. */
      trainedParameters: number;
      totalParameters: number;
      /** Estimated peak, bytes. */
      memoryEstimate: number;
      /** What a person should know of their data. */
      warnings: string[];
      trainTexts: number;
      validationTexts: number;
      /** Rows that the training texts are laid out in: blocks of long texts, or several texts in one if packed. */
      trainRows: number;
      /** Tokens of those rows, and how many of them are learnt. */
      trainTokens: number;
      trainTargets: number;
      /** Tokens of prompts that were cut, and in how many texts. */
      truncatedTokens: number;
      truncatedTexts: number;
      maxLength: number;
      /** Rows that cannot be learnt and were left out (`skipBad`). */
      skippedRows: SkippedRow[];
      /** Whether layers are computed twice to save memory. */
      gradientCheckpointing: boolean;
    }
  /** `done` of `total` rows or batches have passed the untuned model. */
  | {
      type: "progress";
      done: number;
      total: number;
    }
  /** What the model reaches without fine-tuning. */
  | LanguageBaselines & {
      type: "baselines";
    }
  /** All options as the run takes them, and why those that were left out are so. */
  | {
      type: "recipe";
      options: ResolvedLanguageOptions;
      reasons: string[];
      /** Optimizer steps of all stages. */
      totalSteps: number;
      epochs: number;
    }
  /** One of several runs begins. */
  | {
      type: "seed";
      /** From 0. */
      index: number;
      count: number;
      headSeed: number;
      dataSeed: number;
    }
  /** One optimizer step. */
  | {
      type: "step";
      stage: Stage;
      /** From 1. */
      step: number;
      totalSteps: number;
      /** From 1; 0 in the contrastive stage. */
      epoch: number;
      /** Mean over the step's rows or targets. */
      loss: number;
      learningRate: number;
      headLearningRate: number;
      /** Bottom to top. */
      groups: GroupRate[];
      /** Tokens that were read, padding left out. */
      tokens: number;
      /** What the loss is a mean over: rows, or predicted tokens. */
      targets: number;
      /** Time that the step took, until its loss was read back. */
      ms: number;
    }
  /** The validation rows are scored. */
  | {
      type: "evaluation";
      stage: Stage;
      step: number;
      epoch: number;
      /** Whether this is the best so far. */
      best: boolean;
      validation: Likelihood;
      completions: Completion[];
    }
  /** One of several runs has ended. */
  | {
      type: "seedFinished";
      index: number;
      headSeed: number;
      dataSeed: number;
      reason: FinishReason;
      /**
       * Best on the validation rows, the larger the better: accuracy, or minus the loss of a language model; `None` for a run that ended before
       * anything of it was scored.
       */
      value: number | null;
      /** The loss of that state. */
      loss: number | null;
      /** Epoch and step of that state; 0 for the state before training. */
      keptEpoch: number;
      keptStep: number;
      steps: number;
    }
  /** The last event. */
  | LanguageFinished & {
      type: "finished";
    };

/** How a run ended and what it found. */
export interface LanguageFinished {
  reason: FinishReason;
  message: string;
  /** The error that ended it, if one did. */
  error?: string | undefined;
  /** Its kind. */
  errorCode?: ErrorCode | undefined;
  /** Step and epoch of the state that is kept; 0 for the state before training. */
  keptStep: number;
  keptEpoch: number;
  steps: number;
  /** Of each step. */
  trainLoss: number[];
  /** Whether tuning beat the baselines. */
  verdict: string;
  seeds?: SeedSummary | undefined;
  options: ResolvedLanguageOptions;
  trainedParameters: number;
  totalParameters: number;
  /** Of the method's weights in an export. */
  exportBytes: number;
  /** `None` if the run was stopped before all texts were scored. */
  base: Likelihood | null;
  fewShot: FewShot | null;
  /** Of the state that is kept. */
  tuned: Likelihood | null;
}

/** What was loaded. */
export interface LanguageModelInfo {
  /** Repository id, folder name or file name; becomes PEFT's `base_model_name_or_path`. */
  name: string;
  /** The repository that a GGUF file says it was made from; absent for other files and where it says nothing. */
  baseName?: string | undefined;
  /** `model_type` of config.json. */
  family: string;
  parameters: number;
  layers: number;
  hiddenSize: number;
  vocabSize: number;
  maxPositions: number;
  storage: WeightStorage;
  /** Bytes of the weights on the device. */
  weightBytes: number;
  /** Whether the files bring a chat template; ChatML if not. */
  ownTemplate: boolean;
}

/** All settings of a language model's run. */
export interface LanguageOptions {
  /** Several short texts in one row, none of which sees another. Default: `false`. */
  packing?: boolean | undefined;
  /** Learn the answers alone, not every token. Plain text is learnt whole either way. Default: `true`. */
  completionOnlyLoss?: boolean | undefined;
  /** Training texts before each validation text in the baseline that does not train; 0 for no such baseline. Default: `3`. */
  fewShotExamples?: number | undefined;
  /** Prompts that are completed at every evaluation; without any, two of the validation texts'. */
  samplePrompts?: string[] | undefined;
  /** Tokens of each such completion; 0 for none. Default: `32`. */
  sampleTokens?: number | undefined;
  /**
   * Leaves rows out that cannot be learnt (refused by the chat template, an answer too long), and lists them in `started`; without it
   * the first of them is an error. Default: `false`.
   */
  skipBad?: boolean | undefined;
  /** What is trained. */
  method?: Method | undefined;
  /** Peak rate of what trains below the head. Default: `0.001`. */
  learningRate?: number | undefined;
  /** Shape of the rates. Default: `"cosine"`. */
  lrSchedulerType?: LrSchedulerType | undefined;
  /** Share of the steps in which the rate rises from 0; 0 without either. Default: `0.05`. */
  warmupRatio?: number | undefined;
  /** The same as a number of steps. */
  warmupSteps?: number | undefined;
  /** Each layer's rate is the one above it times this (Howard & Ruder 2018). Default: `1`. */
  layerLrDecay?: number | undefined;
  /** Steps until one more group of layers trains, from the top down; 0 for all at once. Default: `0`. */
  unfreezeEverySteps?: number | undefined;
  /** The same in epochs. Default: `0`. */
  unfreezeEveryEpochs?: number | undefined;
  /** Passes over the training rows. Default: `3`. */
  numTrainEpochs?: number | undefined;
  /** Rows per forward pass. Default: `4`. */
  trainBatchSize?: number | undefined;
  /** Forward passes per optimizer step. Default: `1`. */
  gradientAccumulationSteps?: number | undefined;
  /** Compute each layer a second time in the backward pass instead of keeping its inside; left out, only if memory asks for it. */
  gradientCheckpointing?: boolean | undefined;
  /** AdamW's decoupled decay. Default: `0`. */
  weightDecay?: number | undefined;
  /** Whether biases and norms decay too. Default: `false`. */
  decayBiasAndNorm?: boolean | undefined;
  /** Probability that a weight is its pretrained value in a step (Lee et al. 2020); for `full` tuning. Default: `0`. */
  mixout?: number | undefined;
  /** Strength of the pull towards the start (L2-SP, Li et al. 2018). Default: `0`. */
  l2Sp?: number | undefined;
  /** AdamW's decay of the mean gradient. Default: `0.9`. */
  adamBeta1?: number | undefined;
  /** AdamW's decay of the mean squared gradient. Default: `0.999`. */
  adamBeta2?: number | undefined;
  /** AdamW's guard against division by zero. Default: `0.00000001`. */
  adamEpsilon?: number | undefined;
  /** Largest global norm of the gradients; 0 for no clipping. Default: `1`. */
  maxGradNorm?: number | undefined;
  /** Tokens kept of a text, special tokens included; left out, the task's own number, or the model's positions if those are fewer. */
  maxLength?: number | undefined;
  /** Share of the rows that judges and never trains. Default: `0.1`. */
  validationSplit?: number | undefined;
  /** Steps between evaluations; 0 for one an epoch. Default: `0`. */
  evalSteps?: number | undefined;
  /** Evaluations without improvement before training stops; 0 for never. Default: `2`. */
  earlyStoppingPatience?: number | undefined;
  /** Every random choice follows from it. Default: `42`. */
  seed?: number | undefined;
  /** Start of head and adapter; `seed` without it. */
  headSeed?: number | undefined;
  /** Order of the rows, dropout and mixout; `seed` without it. */
  dataSeed?: number | undefined;
  /** Runs with seeds counted up, of which the best is kept. Default: `1`. */
  seeds?: number | undefined;
}

/** How well targets are predicted. */
export interface Likelihood {
  /** Mean cross-entropy in nats. */
  loss: number;
  /** `e` to the loss. */
  perplexity: number;
  /** Share of targets that are the likeliest token. */
  tokenAccuracy: number;
  /** Number of targets. */
  tokens: number;
}

/** The shape of a stage's learning rate; see `schedule`. */
export type LrSchedulerType = "linear" | "cosine" | "constant" | "slantedTriangular";

/** Bytes at the peak of a run, by what takes them. */
export interface MemoryEstimate {
  /** The frozen weights as they are stored. */
  weights: number;
  /** What trains: its values now and in the best state, and what penalties and earlier seeds hold of it. */
  adapter: number;
  /** AdamW's two means. */
  moments: number;
  /** What the backward pass needs of the forward pass, and the gradients; or the inside of a layer in any other pass. */
  activations: number;
  /** The logits of some positions and their gradient. */
  logits: number;
  /** Rows that the frozen part is computed for once. */
  cache: number;
  /** Vectors and scores of a classifier's baselines. */
  baselines: number;
}

/** One turn of a conversation. */
export interface Message {
  /** `system`, `user` or `assistant`. */
  role: "system" | "user" | "assistant";
  /** What was said. */
  content: string;
  /** What the writer of an assistant's turn thought before; the chat template writes it down if it knows of it. */
  reasoning_content?: string | undefined;
}

/** What is trained besides the head, which always is. Methods differ in what they attach and what they freeze, and in nothing else. */
export type Method =
  /** Low-rank deltas on linear layers (Hu et al. 2022). Leaves as PEFT files. */
  | {
      type: "lora";
      /** Rank of the delta. Default: `4`. */
      r?: number | undefined;
      /** The delta is scaled by `loraAlpha / r`. Default: `16`. */
      loraAlpha?: number | undefined;
      /** Probability of zeroing an input of A while training, in [0, 1). Default: `0`. */
      loraDropout?: number | undefined;
      /**
       * Names, name suffixes, or one regular expression that matches a whole module name; `all-linear` for every linear layer that the
       * head reads. Left out, every linear layer of a transformer layer.
       */
      targetModules?: TargetModules | undefined;
      /** Modules that get no delta although `targetModules` names them, by the same rules. */
      excludeModules?: TargetModules | undefined;
      /** Only in these layers, counted from 0 at the bottom; in all if left out. */
      layersToTransform?: number[] | undefined;
      /** Scale by `loraAlpha / sqrt(r)` instead (Kalajdzievski 2023). Default: `false`. */
      useRslora?: boolean | undefined;
      /** DoRA: train each output's magnitude next to its direction (Liu et al. 2024). Default: `false`. */
      useDora?: boolean | undefined;
      /**
       * How the factors start: `true` is Kaiming-uniform A and B = 0, `"gaussian"` a normal A and B = 0; `"pissa"` takes the principal
       * singular vectors of the weight (Meng et al. 2024) and leaves as plain LoRA of twice the rank. Default: `true`.
       */
      initLoraWeights?: true | "gaussian" | "pissa" | undefined;
      /** Ranks of modules whose name ends in the key, a regular expression; the first key that matches counts. */
      rankPattern?: Record<string, number> | undefined;
      /** Alphas, by the same rule. */
      alphaPattern?: Record<string, number> | undefined;
      /** Which biases of the frozen model train too. Default: `"none"`. */
      bias?: Bias | undefined;
    }
  /** Every weight that the head reads. Leaves as a Transformers folder. */
  | {
      type: "full";
    }
  /** The head alone, on features that are computed once. Leaves as the head's tensors and labels.json. */
  | {
      type: "probe";
    }
  /** Bottlenecks after the sublayers (Houlsby et al. 2019). Leaves as an AdapterHub folder. */
  | {
      type: "houlsby";
      /** The bottleneck's width is the hidden size divided by this. Default: `16`. */
      reductionFactor?: number | undefined;
      /** The function between its two layers. Default: `"swish"`. */
      nonLinearity?: NonLinearity | undefined;
    }
  /** Learned keys and values in every layer (Li & Liang 2021). Leaves as PEFT files. */
  | {
      type: "prefix";
      /** Learned keys and values a layer. As many positions fewer are left for a text. Default: `10`. */
      numVirtualTokens?: number | undefined;
    };

/** What was loaded. */
export interface ModelInfo {
  /** Repository id or folder name; becomes PEFT's `base_model_name_or_path`. */
  name: string;
  /** `model_type` of config.json. */
  family: string;
  parameters: number;
  layers: number;
  hiddenSize: number;
  vocabSize: number;
  maxPositions: number;
  storage: WeightStorage;
  /** Bytes of the weights on the device. */
  weightBytes: number;
  defaultHead: HeadKind;
  defaultHeadReason: string;
}

/** Which function is in the bottleneck, by AdapterHub's words. */
export type NonLinearity =
  | "swish"
  | "relu"
  | "tanh"
  /** Exact, with the error function. */
  | "gelu";

/** What labels are ranked by. */
export type Normalization =
  /** The log-probability of all of a label's tokens: lm-evaluation-harness' `acc`, by which it scores classification. */
  | "sum"
  /** The same over the number of the label's characters: its `acc_norm`, for labels of different lengths. */
  | "characters"
  /** The same over the number of tokens. */
  | "tokens";

/** What a caller may settle; everything else is found by looking at the file. */
export interface ParseOptions {
  /** Default: from the name and the first lines. */
  format?: TableFormat | undefined;
  /** Column name, or `Column 2` if there is no header. */
  textColumn?: string | undefined;
  /**
   * The column of a second text, for rows that are pairs. Default: the other one of a known pair, such as `hypothesis` beside `premise`; none
   * where `textColumn` is given, so that this text is read alone.
   */
  textPairColumn?: string | undefined;
  /** Column name, or `Column 1` if there is no header. */
  labelColumn?: string | undefined;
  /**
   * Columns of 0 and 1 (or false and true), a label each, of which a text may have several. Default: found by looking, where no column has a
   * label's name.
   */
  labelColumns?: string[] | undefined;
  /** What stands between several labels in the label column, such as `|`; empty for one label a text. Default: found by looking. */
  labelSeparator?: string | undefined;
  /** One character between columns. Default: what a `sep=` line says, else found by looking. */
  delimiter?: string | undefined;
  /** Whether the first row names the columns. Default: found by looking. */
  header?: boolean | undefined;
  /** Default: by a byte order mark, else UTF-8. */
  encoding?: TextEncoding | undefined;
  /** Leaves rows out that cannot be read, and lists them; without it the first of them is an error. Default: `false`. */
  skipBad?: boolean | undefined;
}

/** An example and the row that it comes from. */
export interface ParsedRow {
  /** As in the file. */
  text: string;
  /** The second text of a pair, as in the file. */
  textPair?: string | undefined;
  /** As in the file, without blanks around it; a list in all rows where texts may have several. */
  label: Label;
  /** Counts from 1; the header, if there is one, is row 1. */
  row: number;
}

/** What a file holds. */
export interface ParsedTable {
  /** The format it was read in. */
  format: TableFormat;
  /** How its bytes were read. */
  encoding: TextEncoding;
  /** The character between columns, where there is one. */
  delimiter: string | null;
  /** Whether the first row names the columns. */
  header: boolean;
  /** All columns, in the order of the file. */
  columns: string[];
  /** The column that became the text. */
  textColumn: string;
  /** The column that became the second text, where rows are pairs. */
  textPairColumn: string | null;
  /** The column that became the label; the first of them where it was several. */
  labelColumn: string;
  /** The columns of 0 and 1 that became labels, a label each; empty where one column has the labels. */
  labelColumns: string[];
  /** What separates several labels in that column, where it was read so. */
  labelSeparator: string | null;
  /** Whether each text has one label, or any number of them. */
  problemType: ProblemType;
  /** The rows with a text (of pairs both) and a label, in the order of the file. */
  rows: ParsedRow[];
  /** Sorted by label. */
  labelCounts: LabelCount[];
  /**
   * Rows left out, because a text or the label is blank or null. Blank lines are no rows, and an empty list of labels beside longer ones is
   * no blank: no label applies.
   */
  emptyRows: number[];
  /** Rows left out, because they cannot be read (`skipBad`). */
  skippedRows: SkippedRow[];
  /** Rows that repeat the text (of pairs both) and label of an earlier one; they are kept in `rows`. */
  duplicateRows: number[];
  /** Rows that repeat the text of an earlier one with another label; they are kept in `rows`. */
  conflictingRows: number[];
  /** What a person should know of how the file was read: columns that hold content and are not used, lists that were not read. */
  warnings: string[];
}

/** A row and where it comes from. */
export interface ParsedText {
  /** Counts from 1: the line in JSON lines, else the place in the list of rows. */
  row: number;
  /** What it holds. */
  content: TextRow;
  /** Descriptions of functions that a conversation may call, as OpenAI's API has them; the chat template writes them down. */
  tools?: unknown[] | undefined;
}

/** What a file of texts holds. */
export interface ParsedTexts {
  /** How it was read. */
  format: TextFormat;
  /** How its bytes were read. */
  encoding: TextEncoding;
  /** In the order of the file. */
  rows: ParsedText[];
  /** Rows left out, because they cannot be read (`skipBad`). */
  skippedRows: SkippedRow[];
  /** What a person should know of how the file was read, such as keys with content that is not learnt. */
  warnings: string[];
}

/** One text's answer. */
export interface Prediction {
  /** A list where texts may have several labels: those whose probability is over their threshold. */
  label: Label;
  /** In the order of the labels. They sum to 1 where a text has one label; where it may have several, each is that label's own. */
  probabilities: number[];
  logits: number[];
  labels: string[];
  /** In the order of the labels; only where texts may have several. */
  thresholds?: number[] | undefined;
}

/** Some tokens that follow one another and are all learnt, or all not. */
export interface PreviewPiece {
  /** Special tokens are written out. */
  text: string;
  learnt: boolean;
  tokens: number;
}

/** What a classifier answers, in the words of Transformers' `problem_type`. */
export type ProblemType =
  /** Each text has one label. */
  | "single_label_classification"
  /** Each text has any number of labels, none included. */
  | "multi_label_classification";

/** What is to be continued. */
export type Prompt =
  /** A conversation, which the model answers. */
  | Message[]
  /** A text, which the model goes on with. */
  | string;

/** How much work a run may be; see `recipe`. */
export type RecipeName = "fast" | "balanced" | "best";

/** An option that gets a person past an error, if they want what it does; a page offers it as a button. */
export type Remedy =
  /** `encoding: "windows-1252"`: the file is no UTF-8, but can be text of older Windows programs. */
  | "readAsWindows1252"
  /** `skipBad: true`: some rows cannot be used, others can. */
  | "skipBad";

/** How a model fared on a set of rows. */
export interface Report {
  /**
   * Share of rows whose largest logit is the true label's; where texts may have several labels, of rows whose labels are all right and
   * complete, as scikit-learn's `accuracy_score`.
   */
  accuracy: number;
  /** Where the accuracy on unlimited rows of the same kind may lie: its 95% interval by Wilson's score (see `wilson`). */
  interval: [number, number];
  /**
   * Mean F1 over the labels that are true or predicted for at least one row, as scikit-learn's
   * `f1_score(average="macro", zero_division=0)`; over all labels where texts may have several.
   */
  macroF1: number;
  /** Only where texts may have several labels: F1 of all decisions together. */
  microF1: number | null;
  /** Mean cross-entropy, in nats, over rows; the binary one over rows and labels where texts may have several. NaN where a logit is NaN. */
  loss: number;
  /** Rows scored. */
  count: number;
  /** One entry per label, in the order of the labels. */
  perClass: ClassReport[];
  /** `confusion[true][predicted]`, in the order of the labels; empty where texts may have several. */
  confusion: number[][];
}

/** All settings of a classifier's run. */
export interface ResolvedClassifyOptions {
  /** Fills what is left out. */
  recipe: RecipeName;
  /** Which head classifies. */
  head: HeadChoice;
  /** Where it starts. */
  headInit: HeadInit;
  /** A stage before the head's. */
  contrastive: ResolvedContrastive;
  /** Peak rate of the head. */
  headLearningRate: number;
  /** Of hidden states, attention weights and the head's input. */
  dropout: number;
  /** What zero-shot compares a text with, by label. */
  labelDescriptions: Record<string, string>;
  /** Compute the frozen lower part once. */
  frozenCache: boolean;
  /**
   * Leaves examples out that cannot be learnt (a blank text or label, a token that the model lacks, a label with one example), and lists them
   * in `started`; without it the first of them is an error.
   */
  skipBad: boolean;
  /** What is trained. */
  method: ResolvedMethod;
  /** Peak rate of what trains below the head. */
  learningRate: number;
  /** Shape of the rates. */
  lrSchedulerType: LrSchedulerType;
  /** Share of the steps in which the rate rises from 0; 0 without either. */
  warmupRatio?: number | undefined;
  /** The same as a number of steps. */
  warmupSteps?: number | undefined;
  /** Each layer's rate is the one above it times this (Howard & Ruder 2018). */
  layerLrDecay: number;
  /** Steps until one more group of layers trains, from the top down; 0 for all at once. */
  unfreezeEverySteps: number;
  /** The same in epochs. */
  unfreezeEveryEpochs: number;
  /** Passes over the training rows. */
  numTrainEpochs: number;
  /** Rows per forward pass. */
  trainBatchSize: number;
  /** Forward passes per optimizer step. */
  gradientAccumulationSteps: number;
  /** Compute each layer a second time in the backward pass instead of keeping its inside; left out, only if memory asks for it. */
  gradientCheckpointing: boolean | null;
  /** AdamW's decoupled decay. */
  weightDecay: number;
  /** Whether biases and norms decay too. */
  decayBiasAndNorm: boolean;
  /** Probability that a weight is its pretrained value in a step (Lee et al. 2020); for `full` tuning. */
  mixout: number;
  /** Strength of the pull towards the start (L2-SP, Li et al. 2018). */
  l2Sp: number;
  /** AdamW's decay of the mean gradient. */
  adamBeta1: number;
  /** AdamW's decay of the mean squared gradient. */
  adamBeta2: number;
  /** AdamW's guard against division by zero. */
  adamEpsilon: number;
  /** Largest global norm of the gradients; 0 for no clipping. */
  maxGradNorm: number;
  /** Tokens kept of a text, special tokens included; left out, the task's own number, or the model's positions if those are fewer. */
  maxLength: number | null;
  /** Share of the rows that judges and never trains. */
  validationSplit: number;
  /** Steps between evaluations; 0 for one an epoch. */
  evalSteps: number;
  /** Evaluations without improvement before training stops; 0 for never. */
  earlyStoppingPatience: number;
  /** Every random choice follows from it. */
  seed: number;
  /** Start of head and adapter; `seed` without it. */
  headSeed: number | null;
  /** Order of the rows, dropout and mixout; `seed` without it. */
  dataSeed: number | null;
  /** Runs with seeds counted up, of which the best is kept. */
  seeds: number;
}

/** `false`, or the stage's settings. */
export type ResolvedContrastive = false | ResolvedContrastiveOptions;

/** The stage before the head's; see `contrast`. */
export interface ResolvedContrastiveOptions {
  /** Optimiser steps. */
  steps: number;
  /** Texts a step. */
  batchSize: number;
  /** Peak rate. */
  learningRate: number;
  /** What similarities are divided by. */
  temperature: number;
}

/** All settings of a language model's run. */
export interface ResolvedLanguageOptions {
  /** Several short texts in one row, none of which sees another. */
  packing: boolean;
  /** Learn the answers alone, not every token. Plain text is learnt whole either way. */
  completionOnlyLoss: boolean;
  /** Training texts before each validation text in the baseline that does not train; 0 for no such baseline. */
  fewShotExamples: number;
  /** Prompts that are completed at every evaluation; without any, two of the validation texts'. */
  samplePrompts: string[];
  /** Tokens of each such completion; 0 for none. */
  sampleTokens: number;
  /**
   * Leaves rows out that cannot be learnt (refused by the chat template, an answer too long), and lists them in `started`; without it
   * the first of them is an error.
   */
  skipBad: boolean;
  /** What is trained. */
  method: ResolvedMethod;
  /** Peak rate of what trains below the head. */
  learningRate: number;
  /** Shape of the rates. */
  lrSchedulerType: LrSchedulerType;
  /** Share of the steps in which the rate rises from 0; 0 without either. */
  warmupRatio?: number | undefined;
  /** The same as a number of steps. */
  warmupSteps?: number | undefined;
  /** Each layer's rate is the one above it times this (Howard & Ruder 2018). */
  layerLrDecay: number;
  /** Steps until one more group of layers trains, from the top down; 0 for all at once. */
  unfreezeEverySteps: number;
  /** The same in epochs. */
  unfreezeEveryEpochs: number;
  /** Passes over the training rows. */
  numTrainEpochs: number;
  /** Rows per forward pass. */
  trainBatchSize: number;
  /** Forward passes per optimizer step. */
  gradientAccumulationSteps: number;
  /** Compute each layer a second time in the backward pass instead of keeping its inside; left out, only if memory asks for it. */
  gradientCheckpointing: boolean | null;
  /** AdamW's decoupled decay. */
  weightDecay: number;
  /** Whether biases and norms decay too. */
  decayBiasAndNorm: boolean;
  /** Probability that a weight is its pretrained value in a step (Lee et al. 2020); for `full` tuning. */
  mixout: number;
  /** Strength of the pull towards the start (L2-SP, Li et al. 2018). */
  l2Sp: number;
  /** AdamW's decay of the mean gradient. */
  adamBeta1: number;
  /** AdamW's decay of the mean squared gradient. */
  adamBeta2: number;
  /** AdamW's guard against division by zero. */
  adamEpsilon: number;
  /** Largest global norm of the gradients; 0 for no clipping. */
  maxGradNorm: number;
  /** Tokens kept of a text, special tokens included; left out, the task's own number, or the model's positions if those are fewer. */
  maxLength: number | null;
  /** Share of the rows that judges and never trains. */
  validationSplit: number;
  /** Steps between evaluations; 0 for one an epoch. */
  evalSteps: number;
  /** Evaluations without improvement before training stops; 0 for never. */
  earlyStoppingPatience: number;
  /** Every random choice follows from it. */
  seed: number;
  /** Start of head and adapter; `seed` without it. */
  headSeed: number | null;
  /** Order of the rows, dropout and mixout; `seed` without it. */
  dataSeed: number | null;
  /** Runs with seeds counted up, of which the best is kept. */
  seeds: number;
}

/** What is trained besides the head, which always is. Methods differ in what they attach and what they freeze, and in nothing else. */
export type ResolvedMethod =
  /** Low-rank deltas on linear layers (Hu et al. 2022). Leaves as PEFT files. */
  | {
      type: "lora";
      /** Rank of the delta. */
      r: number;
      /** The delta is scaled by `loraAlpha / r`. */
      loraAlpha: number;
      /** Probability of zeroing an input of A while training, in [0, 1). */
      loraDropout: number;
      /**
       * Names, name suffixes, or one regular expression that matches a whole module name; `all-linear` for every linear layer that the
       * head reads. Left out, every linear layer of a transformer layer.
       */
      targetModules: TargetModules;
      /** Modules that get no delta although `targetModules` names them, by the same rules. */
      excludeModules: TargetModules;
      /** Only in these layers, counted from 0 at the bottom; in all if left out. */
      layersToTransform: number[] | null;
      /** Scale by `loraAlpha / sqrt(r)` instead (Kalajdzievski 2023). */
      useRslora: boolean;
      /** DoRA: train each output's magnitude next to its direction (Liu et al. 2024). */
      useDora: boolean;
      /**
       * How the factors start: `true` is Kaiming-uniform A and B = 0, `"gaussian"` a normal A and B = 0; `"pissa"` takes the principal
       * singular vectors of the weight (Meng et al. 2024) and leaves as plain LoRA of twice the rank.
       */
      initLoraWeights: true | "gaussian" | "pissa";
      /** Ranks of modules whose name ends in the key, a regular expression; the first key that matches counts. */
      rankPattern: Record<string, number>;
      /** Alphas, by the same rule. */
      alphaPattern: Record<string, number>;
      /** Which biases of the frozen model train too. */
      bias: Bias;
    }
  /** Every weight that the head reads. Leaves as a Transformers folder. */
  | {
      type: "full";
    }
  /** The head alone, on features that are computed once. Leaves as the head's tensors and labels.json. */
  | {
      type: "probe";
    }
  /** Bottlenecks after the sublayers (Houlsby et al. 2019). Leaves as an AdapterHub folder. */
  | {
      type: "houlsby";
      /** The bottleneck's width is the hidden size divided by this. */
      reductionFactor: number;
      /** The function between its two layers. */
      nonLinearity: NonLinearity;
    }
  /** Learned keys and values in every layer (Li & Liang 2021). Leaves as PEFT files. */
  | {
      type: "prefix";
      /** Learned keys and values a layer. As many positions fewer are left for a text. */
      numVirtualTokens: number;
    };

/** One answered row. */
export interface ScoredRow {
  text: string;
  /** The second text of a pair. */
  textPair?: string | undefined;
  /** A list where texts may have several, as what was predicted. */
  label: Label;
  predicted: Label;
  /** In the order of the labels. */
  logits: number[];
}

/** A tuned model on labelled rows. */
export interface Scores {
  labels: string[];
  tuned: Report;
  rows: ScoredRow[];
}

/** One of several runs that differ in their seeds. */
export interface SeedRun {
  headSeed: number;
  dataSeed: number;
  reason: FinishReason;
  /**
   * Best on the validation rows, the larger the better: accuracy, or minus the loss of a language model; `None` for a run that ended before
   * anything of it was scored.
   */
  value: number | null;
  /** The loss of that state. */
  loss: number | null;
  /** Epoch and step of that state; 0 for the state before training. */
  keptEpoch: number;
  keptStep: number;
  steps: number;
}

/** All of several runs together. */
export interface SeedSummary {
  runs: SeedRun[];
  /** Of the values of all runs that were scored and not ended as unpromising; 0 if there is none. */
  mean: number;
  /** Their sample standard deviation; 0 for one run. */
  deviation: number;
  /** Index of the run that is kept. */
  best: number;
}

/** A row that was left out, because it cannot be used. */
export interface SkippedRow {
  /** Counts from 1. */
  row: number;
  /** What is wrong with it. */
  reason: string;
}

/** Which objective is trained. */
export type Stage =
  /** Texts of one label together, others apart; no head. */
  | "contrastive"
  /** Head and method together, by the cross-entropy of labels. */
  | "classify"
  /** The cross-entropy of tokens. */
  | "language";

/** How the rows of a file are written. */
export type TableFormat =
  /** Separated by commas, semicolons, tabs or pipes (found by looking), quoted as in RFC 4180. */
  | "csv"
  /** Separated by tabs. */
  | "tsv"
  /** JSON: an object per line, an array of objects or of `[text, label]`, either of them under a key, or columns. */
  | "jsonl"
  /** Per line a label, a tab and a text; quotes are part of the text. */
  | "labelTab"
  /** Per line `__label__` with a label, a blank and a text, as fastText reads it. */
  | "fastText"
  /** Per line `LABEL:sublabel`, a blank and a question, as TREC's question classes are written. */
  | "trec";

/** Which modules get a delta, by PEFT's two rules. */
export type TargetModules =
  /** `null`: what the model's family has by default, every linear layer of a transformer layer. */
  | null
  /** A module whose name is one of these, or ends in a dot and one of these. */
  | string[]
  /** A module whose whole name this regular expression matches; `all-linear` means every linear layer. */
  | string;

/** How a file's bytes stand for characters. */
export type TextEncoding =
  /** The web's own. */
  | "utf-8"
  /** As some Windows programs export it, the lower byte first. */
  | "utf-16le"
  /** The higher byte first. */
  | "utf-16be"
  /** Western European, as older Windows programs write it; every byte is a character. */
  | "windows-1252";

/** How a file of texts is written. */
export type TextFormat =
  /** JSON lines, an array, or either under a key. */
  | "json"
  /** One text. */
  | "text";

/** A text to label, or two that are judged together. */
export type TextInput =
  /** One text. */
  | string
  /** As a row of examples has them, whose other fields are not read. */
  | {
      /** What the model reads, or the first of two texts. */
      text: string;
      /** The second text. */
      textPair?: string | undefined;
    };

/** What a caller may settle; everything else is found by looking at the file. */
export interface TextOptions {
  /** Default: from the name and the first character. */
  format?: TextFormat | undefined;
  /** Default: by a byte order mark, else UTF-8. */
  encoding?: TextEncoding | undefined;
  /** Leaves rows out that cannot be read, and lists them; without it the first of them is an error. Default: `false`. */
  skipBad?: boolean | undefined;
}

/** What a language model learns from. */
export type TextRow =
  /** A conversation; the model learns the assistant's turns. */
  | {
      chat: Message[];
    }
  /** A conversation of which only the assistant's turns in `completion` are learnt. */
  | {
      chatCompletion: {
        /** What was said before. */
        prompt: Message[];
        /** What comes next. */
        completion: Message[];
      };
    }
  /** A text and how it goes on; the model learns the latter. */
  | {
      promptCompletion: {
        /** What the model is given. May be empty. */
        prompt: string;
        /** What the model learns to write. */
        completion: string;
      };
    }
  /** A text that is learnt as a whole. */
  | {
      text: string;
    };

/** How frozen weights are stored. What trains is float32 always. */
export type WeightStorage =
  /** float32 */
  | "f32"
  /** float16 */
  | "f16"
  /** Blocks of 32 values: 8-bit integers and one float32 scale. A GGUF file's own where they fit, and symmetric around zero otherwise. */
  | "int8"
  /** The same with 4-bit integers. */
  | "int4";

/** Which model answers. */
export type WhichModel =
  /** What the loaded model became. */
  | "tuned"
  /** The loaded model; of a classifier with the fitted head. */
  | "baseline";

/** A written text. */
export interface WrittenText {
  text: string;
  /** Tokens written, the ending one included. */
  tokens: number;
  ending: Ending;
}

/** Every `ErrorCode`. */
export const ERROR_CODES: readonly ErrorCode[] = [
  "invalidFile",
  "missingFile",
  "missingTensor",
  "wrongShape",
  "wrongDtype",
  "notFinite",
  "unsupportedModel",
  "tokenizerMismatch",
  "invalidData",
  "invalidOption",
  "outOfMemory",
  "noWebgpu",
  "readFailed",
  "invalidState",
  "deviceFailed",
  "internal",
  "aborted",
  "crashed",
];
