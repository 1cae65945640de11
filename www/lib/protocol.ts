/**
 * Enters: nothing. Leaves: every type that crosses the border between page, package, worker and engine.
 * Sizes are bytes, durations milliseconds unless a name says `seconds`, rates per optimiser step.
 */
import type { LanguageEngine, WeightStorage } from "./language-protocol.js";

/** One labelled text. */
export interface Example {
  text: string;
  label: string;
}

/** What a person asks for; `auto` takes WebGPU on a hardware adapter and the CPU engine otherwise. */
export type DeviceChoice = "auto" | "webgpu" | "cpu";

/** Which engine runs, and why that one. */
export interface DeviceReport {
  device: "webgpu" | "cpu";
  /** One sentence a person can read. */
  reason: string;
  /** The WebGPU adapter that was found, used or not. */
  adapter?: { vendor: string; architecture: string; description: string; isFallback: boolean };
}

/** A file of a model: read in ranges, so that large weights never sit in memory whole. */
export interface SourceFile {
  /** Path inside the model folder, `model.safetensors` or `1_Pooling/config.json`. */
  path: string;
  size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Where a model comes from. */
export type ModelSource =
  /** Files of one folder. A `File`'s path is `webkitRelativePath` without its first folder, or its name. */
  | { files: Iterable<File> | Iterable<{ path: string; blob: Blob }>; name?: string }
  /**
   * A folder on any web server: `url + "config.json"` and so on. `name` becomes PEFT's `base_model_name_or_path`:
   * give the repository's id where the folder is a copy of one. Default: the folder's name.
   */
  | { url: string; name?: string }
  /** A Hugging Face repository, `sentence-transformers/all-MiniLM-L6-v2`. */
  | { repository: string; revision?: string; hubUrl?: string; accessToken?: string };

/**
 * "cls" is the family's own, Hugging Face's `...ForSequenceClassification`: over the first token and a hidden layer, or over a language model's
 * last token. "mean" is the masked mean, L2 norm, linear.
 */
export type HeadKind = "cls" | "mean";

/** What was loaded. */
export interface ModelInfo {
  /** Repository id or folder name; becomes `base_model_name_or_path`. */
  name: string;
  /** `model_type` of config.json. */
  family: "bert" | "roberta" | "distilbert" | "modernbert" | "llama" | "qwen2" | "qwen3" | "gemma3_text" | "gpt2";
  parameters: number;
  layers: number;
  hiddenSize: number;
  vocabSize: number;
  maxPositions: number;
  storage: WeightStorage;
  /** Bytes of the weights on the device. */
  weightBytes: number;
  /** The head that the model's own files ask for, and the words that say why. */
  defaultHead: HeadKind;
  defaultHeadReason: string;
}

/** PEFT's LoRA settings, by PEFT's names (Hu et al. 2022). Leaves as PEFT files. */
export interface LoraMethod {
  type: "lora";
  /** Rank; default 4. */
  r?: number;
  /** The product B A is scaled by loraAlpha / r; default 16. */
  loraAlpha?: number;
  /** Probability of zeroing an input of A while training; default 0. */
  loraDropout?: number;
  /** Name suffixes, or one regular expression that matches a whole module name; default: all of a BERT layer but not the pooler,
   * ["query", "key", "value", "intermediate.dense", "output.dense"]; "all-linear" adds the pooler where the head reads it. */
  targetModules?: string[] | string;
  /** Only these encoder layers, counted from 0 at the bottom; default: all. */
  layersToTransform?: number[];
  /** Scale by loraAlpha / sqrt(r) (Kalajdzievski 2023); default false. */
  useRslora?: boolean;
  /** Train a magnitude per output beside the direction (DoRA, Liu et al. 2024); default false. */
  useDora?: boolean;
  /** How A and B start: true is Kaiming-uniform A and B = 0, "gaussian" is a normal A and B = 0, "pissa" takes the principal
   * singular vectors of the weight (Meng et al. 2024) and leaves as plain LoRA of twice the rank. Default true. */
  initLoraWeights?: true | "gaussian" | "pissa";
  /** Rank of the modules whose name ends in the key (a regular expression, as in PEFT). */
  rankPattern?: Record<string, number>;
  /** The same for loraAlpha. */
  alphaPattern?: Record<string, number>;
  /** Which biases of the frozen model train too; default "none". */
  bias?: "none" | "all" | "lora_only";
}

/** Every weight that the head reads, end to end. Leaves as a Transformers folder. */
export interface FullMethod {
  type: "full";
}

/** Only the head, on features that are computed once. Leaves as the head's tensors and labels.json. */
export interface ProbeMethod {
  type: "probe";
}

/** Bottlenecks after attention and after the feed-forward (Houlsby et al. 2019). Leaves as an AdapterHub folder. */
export interface HoulsbyMethod {
  type: "houlsby";
  /** The bottleneck is the hidden size divided by this; default 16. */
  reductionFactor?: number;
  /** Default "swish". */
  nonLinearity?: "swish" | "gelu" | "relu" | "tanh";
}

/** Learned keys and values before every layer's own (Li & Liang 2021). Leaves as PEFT files. */
export interface PrefixMethod {
  type: "prefix";
  /** Keys and values a layer; default 10. */
  numVirtualTokens?: number;
}

export type Method = LoraMethod | FullMethod | ProbeMethod | HoulsbyMethod | PrefixMethod;
export type MethodType = Method["type"];

/** A stage before the head's: the encoder learns to put texts of one class together and others apart (Tunstall et al. 2022). */
export interface ContrastiveOptions {
  /** Optimiser steps. */
  steps?: number;
  /** Texts a step, drawn evenly from the classes. */
  batchSize?: number;
  /** Peak rate of this stage. */
  learningRate?: number;
  /** What similarities are divided by (Khosla et al. 2020). */
  temperature?: number;
}

export type RecipeName = "fast" | "balanced" | "best";

/**
 * Settings of a run, by the names of Hugging Face's TrainingArguments where it has one. What is left out follows from `recipe`,
 * the method and the data; `started` tells what was chosen.
 */
export interface TrainOptions {
  /** Chooses method, rates, epochs and safeguards from data and device; explicit options win. Default "balanced". */
  recipe?: RecipeName;
  method?: Method;
  /** Default: what the model's files ask for. */
  head?: HeadKind | "auto";
  /** `probe` (default) starts from the head that is fitted on frozen features; `random` from a fresh one, as PEFT's examples do. */
  headInit?: "probe" | "random";
  /** A contrastive stage before the head's; `false` for none. Default: by recipe. Not with method `probe`. */
  contrastive?: ContrastiveOptions | false;
  /** Peak rate of what trains below the head; default by method. */
  learningRate?: number;
  /** Peak rate of the head; default by method. */
  headLearningRate?: number;
  lrSchedulerType?: "linear" | "cosine" | "constant" | "slantedTriangular";
  /** Share of the steps in which the rate rises from 0; default 0.1. */
  warmupRatio?: number;
  /** The same as a number of steps; not together with `warmupRatio`. */
  warmupSteps?: number;
  /** Each layer's rate is the one above it times this; 1 (default) for the same everywhere. */
  layerLrDecay?: number;
  /** Gradual unfreezing, from the head down: one group more every so many optimiser steps; 0 (default) for all at once. */
  unfreezeEverySteps?: number;
  /** The same in epochs; not together with `unfreezeEverySteps`. */
  unfreezeEveryEpochs?: number;
  /** Passes over the training rows. 0 is possible where a contrastive stage comes first. */
  numTrainEpochs?: number;
  /** Rows per forward pass; default 16. */
  trainBatchSize?: number;
  /** Forward passes per optimiser step; default 1. */
  gradientAccumulationSteps?: number;
  /** Decoupled decay; default 0.01. */
  weightDecay?: number;
  /** Decay biases and norms too; default false. */
  decayBiasAndNorm?: boolean;
  /** Of hidden states, attention weights and the head's input, while training; default 0. A language model's layers have none. */
  dropout?: number;
  /** Probability that a weight is its pretrained value in a step (Lee et al. 2020); only with method `full`; default 0. */
  mixout?: number;
  /** Adds l2Sp * ||theta - theta_start||^2 over all that trains (L2-SP, Li et al. 2018); default 0. */
  l2Sp?: number;
  adamBeta1?: number;
  adamBeta2?: number;
  adamEpsilon?: number;
  /** Largest global gradient norm, 0 for no clipping; default 1. */
  maxGradNorm?: number;
  /** Tokens kept of a text, special tokens included; default 128, or the model's positions where those are fewer. */
  maxLength?: number;
  /** Share of every label's rows that judges and never trains; default 0.15. */
  validationSplit?: number;
  /** Steps between evaluations; 0 (default) for one an epoch. */
  evalSteps?: number;
  /** Epochs without improvement before training stops, 0 for never; default 3. */
  earlyStoppingPatience?: number;
  /** Every random choice follows from it; default 42. */
  seed?: number;
  /** Head and adapter start; default `seed`. */
  headSeed?: number;
  /** Order of the rows, and what dropout and mixout drop; default `seed`. */
  dataSeed?: number;
  /** Trains this many runs on one split with headSeed and dataSeed counted up, ends the unpromising early and keeps the best
   * (Dodge et al. 2020); default 1. */
  seeds?: number;
  /** What zero-shot compares a text with, by label; default: the label's name. */
  labelDescriptions?: Record<string, string>;
  /** Compute the frozen lower part once and reuse it; default true. */
  frozenCache?: boolean;
  /** Compute each layer a second time in the backward pass instead of keeping its inside, which takes about a third longer and far
   * less memory. Default false. */
  gradientCheckpointing?: boolean;
}

/** All options of a run as they were used, none left out; a run with these repeats it. */
export type ResolvedOptions = Record<string, unknown> & {
  method: Method;
  numTrainEpochs: number;
  learningRate: number;
};

export interface ClassReport {
  label: string;
  precision: number;
  recall: number;
  f1: number;
  /** Rows whose true label this is. */
  support: number;
}

export interface Report {
  accuracy: number;
  /** 95% Wilson score interval of the accuracy. */
  interval: [number, number];
  macroF1: number;
  /** Mean cross-entropy, in nats. */
  loss: number;
  count: number;
  perClass: ClassReport[];
  /** confusion[true][predicted], in the order of `labels`. */
  confusion: number[][];
}

export interface EvaluatedRow {
  text: string;
  label: string;
  predicted: string;
  /** Of the tuned model, in the order of `labels`. */
  logits: number[];
  baselinePredicted: string;
}

/** What no fine-tuning reaches, on the same rows. */
export interface Baselines {
  /** Similarity of the text to each label's name or description; nothing is learnt. */
  zeroShot: Report;
  /** Similarity to the mean of each label's training texts. */
  centroid: Report;
  /** A linear head fitted on the frozen model's features. */
  probe: Report;
}

/** B against A on the same rows. Accuracies are shares. */
export interface Comparison {
  /** Accuracy of B minus that of A. */
  difference: number;
  /** 95% interval of the difference, from a paired bootstrap. */
  low: number;
  high: number;
  /** Two-sided. */
  pValue: number;
  /** The interval contains 0. */
  withinNoise: boolean;
  /** Rows. */
  count: number;
}

/** The tuned model beside the baselines, on the same rows. */
export interface Evaluation {
  labels: string[];
  baselines: Baselines;
  tuned: Report;
  /** Tuned against the best baseline (by accuracy) and its name. */
  bestBaseline: keyof Baselines;
  comparison: Comparison;
  rows: EvaluatedRow[];
}

/** How far tuning has moved the encoder on 200 general sentences: cosine of sentence vectors before and after. */
export interface Forgetting {
  meanCosine: number;
  lowest: number;
  sentences: number;
}

/** A group of layers in one step: its rate, and whether it is frozen then. */
export interface GroupRate {
  /** "embeddings", "layer 0", ..., "head". Groups in which the method trains nothing are left out. */
  name: string;
  learningRate: number;
  frozen: boolean;
}

export type FinishReason = "completed" | "earlyStopping" | "stopped" | "diverged" | "unpromising" | "failed";

/** One of several runs that differ in their seeds. */
export interface SeedRun {
  headSeed: number;
  dataSeed: number;
  reason: FinishReason;
  /**
   * Best on the validation rows, the larger the better: accuracy, or minus the loss of a language model; null for a run that ended before
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

export interface SeedSummary {
  runs: SeedRun[];
  /** Over the runs that were scored and not ended as unpromising. */
  mean: number;
  /** Sample standard deviation; 0 for one run. */
  deviation: number;
  /** Index into `runs`; what is kept. */
  best: number;
}

/**
 * What happens while a run goes on, in order: started, progress*, baselines, recipe, then per seed: seed? (step | evaluation)*
 * seedFinished?, and in the end finished.
 */
export type TrainEvent =
  | {
      type: "started";
      labels: string[];
      trainRows: number;
      validationRows: number;
      head: HeadKind;
      trainedParameters: number;
      totalParameters: number;
      /** Estimated peak, bytes. */
      memoryEstimate: number;
      /** What a person should know of their data: truncated texts, conflicting duplicates. */
      warnings: string[];
      /** Names the validation rows without telling them: runs with the same value judged the same rows. */
      itemsKey: string;
      /** Layers whose output is computed once and reused, out of those there are; 0 where that is off or does not fit. */
      cachedLayers: number;
    }
  /** `done` of `total` rows have passed the untuned model. */
  | { type: "progress"; done: number; total: number }
  | { type: "baselines"; validation: Baselines }
  | {
      /** All options as the run takes them, now that the speed of this device is known. */
      type: "recipe";
      /** One sentence per choice. */
      reasons: string[];
      options: ResolvedOptions;
      totalSteps: number;
      epochs: number;
    }
  | { type: "seed"; index: number; count: number; headSeed: number; dataSeed: number }
  | {
      type: "step";
      stage: "contrastive" | "classify";
      /** Optimiser steps done, from 1, both stages together. */
      step: number;
      totalSteps: number;
      /** 0 in the contrastive stage. */
      epoch: number;
      loss: number;
      learningRate: number;
      headLearningRate: number;
      /** Bottom to top. */
      groups: GroupRate[];
      /** Tokens in this step, padding left out. */
      tokens: number;
      /** Rows that the loss is a mean over. */
      targets: number;
      /** Added by the worker: time this step took. */
      ms: number;
    }
  | {
      type: "evaluation";
      stage: "contrastive" | "classify";
      step: number;
      epoch: number;
      validation: Report;
      best: boolean;
    }
  | ({ type: "seedFinished"; index: number } & SeedRun)
  | {
      type: "finished";
      reason: FinishReason;
      /** For a person: what was kept and why. */
      message: string;
      /** The error that ended the run, if one did; the best state before it is kept. */
      error?: string;
      /** Step and epoch of the state that is kept; 0 for the fitted head on the untuned model. */
      keptStep: number;
      keptEpoch: number;
      /** The stage whose state was kept; "probe" for the fitted head on the untuned model. */
      keptStage: "probe" | "contrastive" | "classify";
      steps: number;
      trainLoss: number[];
      /** On the validation rows. */
      evaluation: Evaluation;
      forgetting: Forgetting;
      /** Whether tuning beat the best baseline, in words that stay within what was measured. */
      verdict: string;
      /** Of several seeds. */
      seeds?: SeedSummary;
      options: ResolvedOptions;
      /** Of the method's weights in the export, the head's included. */
      exportBytes: number;
      trainedParameters: number;
      totalParameters: number;
    };

export interface Prediction {
  label: string;
  /** In the order of `labels`; sums to 1. */
  probabilities: number[];
  logits: number[];
  labels: string[];
}

/** A file of an export; `path` uses forward slashes. */
export interface ExportedFile {
  path: string;
  bytes: Uint8Array;
}

export type TableFormat = "csv" | "tsv" | "jsonl" | "labelTab";

export interface ParseOptions {
  /** Default: from the name and the first lines. */
  format?: TableFormat;
  /** Column name (or `Column 2` where there is no header); default: found by name, then by content. */
  textColumn?: string;
  labelColumn?: string;
}

/** An example together with where it stood. */
export interface ParsedRow extends Example {
  /** Counts from 1; the header is row 1 where there is one. */
  row: number;
}

export interface ParsedTable {
  format: TableFormat;
  columns: string[];
  textColumn: string;
  labelColumn: string;
  rows: ParsedRow[];
  /** Sorted by label. */
  labelCounts: { label: string; count: number }[];
  /** Rows left out, because text or label is blank. */
  emptyRows: number[];
  /** Rows whose text and label stood before; they are kept in `rows`. */
  duplicateRows: number[];
  /** Rows whose text stood before with another label; they are kept in `rows`. */
  conflictingRows: number[];
}

export type ErrorCode =
  | "invalidFile"
  | "missingFile"
  | "missingTensor"
  | "wrongShape"
  | "wrongDtype"
  | "notFinite"
  | "unsupportedModel"
  | "tokenizerMismatch"
  | "invalidData"
  | "invalidOption"
  | "outOfMemory"
  | "noWebgpu"
  | "readFailed"
  | "invalidState"
  | "deviceFailed"
  | "aborted"
  | "crashed";

/** Every failure that reaches a caller of the package. */
export class WebtuneError extends Error {
  override readonly name = "WebtuneError";
  constructor(
    readonly code: ErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/** What the WebAssembly module exports; `src/wasm` is the other side. Errors thrown have `code` and `message`. */
export interface EngineExports {
  Engine: {
    /** Once per WebAssembly instance. `memoryLimit` in bytes. */
    create(device: "webgpu" | "cpu", memoryLimit: number): Promise<Engine>;
  };
  parseTable(name: string, bytes: Uint8Array, options: ParseOptions): ParsedTable;
  /** B against A by a paired bootstrap; one entry per row, whether it was labelled rightly. */
  compareRuns(a: boolean[], b: boolean[]): Comparison;
}

export interface Engine extends LanguageEngine {
  loadModel(name: string, files: SourceFile[], storage: WeightStorage): Promise<ModelInfo>;
  /** Checks examples and options; the run itself goes on in `nextEvent`. */
  startTraining(examples: Example[], options: TrainOptions): void;
  /** Works until something is worth telling; undefined after `finished`. */
  nextEvent(): Promise<TrainEvent | undefined>;
  /** Ends the run early: the next event is `finished`, with the best state so far. */
  stopTraining(): void;
  predict(texts: string[], which: "tuned" | "baseline"): Promise<Prediction[]>;
  evaluate(examples: Example[]): Promise<Evaluation>;
  /** The method's own files: PEFT, a Transformers folder, an AdapterHub folder, or the head's tensors. */
  exportAdapter(): Promise<ExportedFile[]>;
  importAdapter(files: ExportedFile[]): Promise<void>;
  /** Size of the WebAssembly memory now, which never shrinks: its peak. */
  memoryBytes(): number;
  /** Bytes of the GPU buffers that the engine holds, in use or kept for the next step; 0 on the CPU engine. */
  bufferBytes(): number;
  free(): void;
}
