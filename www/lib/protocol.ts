/**
 * Enters: nothing. Leaves: every type that crosses the border between page, package, worker and engine.
 * Sizes are bytes, durations milliseconds unless a name says `seconds`, rates per optimiser step.
 */

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

export type HeadKind = "cls" | "mean";

/** What was loaded. */
export interface ModelInfo {
  /** Repository id or folder name; becomes `base_model_name_or_path`. */
  name: string;
  family: "bert";
  parameters: number;
  layers: number;
  hiddenSize: number;
  vocabSize: number;
  maxPositions: number;
  /** The head that the model's own files ask for, and the words that say why. */
  defaultHead: HeadKind;
  defaultHeadReason: string;
}

/** PEFT's LoRA settings, by PEFT's names. */
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
}

/** Settings of a run, by the names of Hugging Face's TrainingArguments where it has one. */
export interface TrainOptions {
  method?: LoraMethod;
  /** Default: what the model's files ask for. */
  head?: HeadKind | "auto";
  /** `probeThenLora` (default) fits the head on frozen features first; `lora` starts from a fresh head, as PEFT does. */
  recipe?: "probeThenLora" | "lora";
  /** Peak rate of the adapter; default 1e-3. */
  learningRate?: number;
  /** Peak rate of the head; default 1e-2. */
  headLearningRate?: number;
  /** Default 5. */
  numTrainEpochs?: number;
  /** Rows per forward pass; default 16. */
  trainBatchSize?: number;
  /** Forward passes per optimiser step; default 1. */
  gradientAccumulationSteps?: number;
  /** Decoupled decay; default 0.01. */
  weightDecay?: number;
  adamBeta1?: number;
  adamBeta2?: number;
  adamEpsilon?: number;
  /** Largest global gradient norm, 0 for no clipping; default 1. */
  maxGradNorm?: number;
  /** Share of the steps in which the rate rises from 0; default 0.1. */
  warmupRatio?: number;
  /** Tokens kept of a text, special tokens included; default 128, or the model's positions where those are fewer. */
  maxLength?: number;
  /** Share of every label's rows that judges and never trains; default 0.15. */
  validationSplit?: number;
  /** Epochs without improvement before training stops, 0 for never; default 3. */
  earlyStoppingPatience?: number;
  /** Default 42. */
  seed?: number;
}

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

/** The frozen model with a fitted head (`baseline`) beside the tuned one, on the same rows. */
export interface Evaluation {
  labels: string[];
  baseline: Report;
  tuned: Report;
  rows: EvaluatedRow[];
}

/** What happens while a run goes on, in order: started, features*, probe, (step | evaluation)*, finished. */
export type TrainEvent =
  | {
      type: "started";
      labels: string[];
      trainRows: number;
      validationRows: number;
      totalSteps: number;
      epochs: number;
      head: HeadKind;
      trainedParameters: number;
      totalParameters: number;
      /** Estimated peak, bytes. */
      memoryEstimate: number;
      /** What a person should know of their data: truncated texts, conflicting duplicates. */
      warnings: string[];
    }
  | { type: "features"; done: number; total: number }
  | { type: "probe"; validation: Report }
  | {
      type: "step";
      /** Optimiser steps done, from 1. */
      step: number;
      totalSteps: number;
      epoch: number;
      loss: number;
      learningRate: number;
      headLearningRate: number;
      /** Tokens in this step, padding left out. */
      tokens: number;
      /** Added by the worker: time this step took. */
      ms: number;
    }
  | { type: "evaluation"; step: number; epoch: number; validation: Report; best: boolean }
  | {
      type: "finished";
      reason: "completed" | "earlyStopping" | "stopped" | "diverged";
      /** For a person: what was kept and why. */
      message: string;
      /** 0 when the probe was kept, else the epoch, from 1. */
      keptEpoch: number;
      steps: number;
      trainLoss: number[];
      /** On the validation rows. */
      evaluation: Evaluation;
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

/** The shape of a timed LoRA step. */
export interface BenchmarkShape {
  layers: number;
  hiddenSize: number;
  heads: number;
  intermediateSize: number;
  vocabSize: number;
  batch: number;
  tokens: number;
  r: number;
}

/** What the WebAssembly module exports; `src/wasm` is the other side. Errors thrown have `code` and `message`. */
export interface EngineExports {
  Engine: {
    /** Once per WebAssembly instance. `memoryLimit` in bytes. */
    create(device: "webgpu" | "cpu", memoryLimit: number): Promise<Engine>;
  };
  parseTable(name: string, bytes: Uint8Array, options: ParseOptions): ParsedTable;
}

export interface Engine {
  loadModel(name: string, files: SourceFile[]): Promise<ModelInfo>;
  /** Checks examples and options; the run itself goes on in `nextEvent`. */
  startTraining(examples: Example[], options: TrainOptions): void;
  /** Works until something is worth telling; undefined after `finished`. */
  nextEvent(): Promise<TrainEvent | undefined>;
  /** Ends the run early: the next event is `finished`, with the best state so far. */
  stopTraining(): void;
  predict(texts: string[], which: "tuned" | "baseline"): Promise<Prediction[]>;
  evaluate(examples: Example[]): Promise<Evaluation>;
  exportAdapter(): Promise<ExportedFile[]>;
  importAdapter(files: ExportedFile[]): Promise<void>;
  /** Size of the WebAssembly memory now, which never shrinks: its peak. */
  memoryBytes(): number;
  /** Builds a random model of that shape with LoRA on query and value, ready for `benchmarkStep`. */
  prepareBenchmark(shape: BenchmarkShape): Promise<void>;
  /** Floating-point operations of one such step (forward, and backward without frozen weights' gradients). */
  benchmarkFlops(): number;
  /** One whole optimiser step, until its loss is read back. */
  benchmarkStep(): Promise<number>;
  /** `count` products [m, k] x [k, n], until the last is read back. */
  benchmarkMatmul(m: number, k: number, n: number, count: number): Promise<void>;
  free(): void;
}
