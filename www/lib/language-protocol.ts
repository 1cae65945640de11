/**
 * Enters: nothing. Leaves: the types of language models that cross the border between page, package, worker and engine.
 * Sizes are bytes, durations milliseconds, losses mean cross-entropies in nats.
 */
import type {
  ExportedFile,
  FinishReason,
  FullMethod,
  GroupRate,
  LoraMethod,
  PrefixMethod,
  ResolvedOptions,
  SeedRun,
  SeedSummary,
  SourceFile,
} from "./protocol.js";

/** How frozen weights are kept; what trains is float32 always. WebGPU has "f16" where the adapter has `shader-f16`. */
export type WeightStorage = "f32" | "f16" | "int8" | "int4";

/** Which model answers: the one that was loaded, or what it became. */
export type WhichModel = "tuned" | "baseline";

/** What was loaded. */
export interface LanguageModelInfo {
  /** Repository id or folder name; becomes `base_model_name_or_path`. */
  name: string;
  /** As `model_type` of config.json. */
  family: string;
  parameters: number;
  layers: number;
  hiddenSize: number;
  vocabSize: number;
  maxPositions: number;
  storage: WeightStorage;
  /** Bytes of the weights on the device. */
  weightBytes: number;
  /** Whether the files bring a chat template; ChatML otherwise. */
  ownTemplate: boolean;
}

/** One turn of a conversation. */
export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

/** A text to go on with, or a conversation to answer. */
export type Prompt = string | Message[];

/** What a language model learns from. */
export type TextRow =
  /** A conversation; the assistant's turns are learnt. */
  | { chat: Message[] }
  /** A conversation of which only the assistant's turns in `completion` are learnt. */
  | { chatCompletion: { prompt: Message[]; completion: Message[] } }
  /** A text and how it goes on; the latter is learnt. */
  | { promptCompletion: { prompt: string; completion: string } }
  /** A text that is learnt as a whole. */
  | { text: string };

/** A row together with where it stood. */
export interface ParsedText {
  /** Counts from 1: the line in JSONL, the element of a JSON array. */
  row: number;
  content: TextRow;
}

/** Some tokens that follow one another and are all learnt, or all not. */
export interface PreviewPiece {
  /** Special tokens are written out. */
  text: string;
  learnt: boolean;
  tokens: number;
}

/** The methods that language models have. */
export type LanguageMethod = LoraMethod | PrefixMethod | FullMethod;

/** Settings of a run, by the names of Hugging Face's TrainingArguments and of TRL's SFTConfig where they have one. */
export interface LanguageTrainOptions {
  /** What is trained; default `{ type: "lora", r: 8, targetModules: "all-linear" }`. `full` needs storage `f32`. */
  method?: LanguageMethod;
  /** Peak rate; default 5e-4. */
  learningRate?: number;
  /** Shape of the rate; default "cosine". */
  lrSchedulerType?: "linear" | "cosine" | "constant" | "slantedTriangular";
  /** Share of the steps in which the rate rises from 0; default 0.05. */
  warmupRatio?: number;
  /** The same as a number of steps. */
  warmupSteps?: number;
  /** Each layer's rate is the one above it times this; default 1. */
  layerLrDecay?: number;
  /** Steps until one more group of layers trains, from the top down; 0 (default) for all at once. */
  unfreezeEverySteps?: number;
  /** The same in epochs. */
  unfreezeEveryEpochs?: number;
  /** Passes over the training texts; default 3. */
  numTrainEpochs?: number;
  /** Texts per forward pass; default 4. */
  trainBatchSize?: number;
  /** Forward passes per optimiser step; default 1. */
  gradientAccumulationSteps?: number;
  /** Compute each layer a second time in the backward pass instead of keeping its inside; default: where weights are kept in
   * fewer bits, or memory is short. */
  gradientCheckpointing?: boolean;
  /** AdamW's decoupled decay; default 0. */
  weightDecay?: number;
  /** Whether biases and norms decay too; default false. */
  decayBiasAndNorm?: boolean;
  /** Probability that a weight is its pretrained value in a step, for `full` tuning; default 0. */
  mixout?: number;
  /** Strength of the pull towards the start (L2-SP); default 0. */
  l2Sp?: number;
  /** Default 0.9. */
  adamBeta1?: number;
  /** Default 0.999. */
  adamBeta2?: number;
  /** Default 1e-8. */
  adamEpsilon?: number;
  /** Largest global norm of the gradients, 0 for no clipping; default 1. */
  maxGradNorm?: number;
  /** Tokens of a text; default 512, or the model's positions where those are fewer. */
  maxLength?: number;
  /** Several short texts in one row, none of which sees another; default false. */
  packing?: boolean;
  /** Learn the answers alone, otherwise every token; plain text is learnt whole either way. Default true. */
  completionOnlyLoss?: boolean;
  /** Share of the texts that judge and never train; default 0.1. */
  validationSplit?: number;
  /** Steps between evaluations; 0 (default) for one an epoch. */
  evalSteps?: number;
  /** Evaluations without improvement before training stops, 0 for never; default 2. */
  earlyStoppingPatience?: number;
  /** Training texts that stand before each validation text in the baseline that does not train, 0 for no such baseline; default 3. */
  fewShotExamples?: number;
  /** Prompts that are completed at every evaluation; default: those of two validation texts. */
  samplePrompts?: string[];
  /** Tokens of each such completion, 0 for none; default 32. */
  sampleTokens?: number;
  /** Every random choice follows from it; default 42. */
  seed?: number;
  /** Start of the adapter; `seed` without it. */
  headSeed?: number;
  /** Order of the texts, dropout and mixout; `seed` without it. */
  dataSeed?: number;
  /** Runs with seeds counted up, of which the best is kept; default 1. */
  seeds?: number;
}

/** What an estimate is made for. */
export interface LanguageEstimateOptions {
  storage: WeightStorage;
  method: LanguageMethod;
  /** Rows per forward pass. */
  trainBatchSize: number;
  /** Tokens of the longest row. */
  maxLength: number;
  gradientCheckpointing: boolean;
}

/** Bytes at the peak of a run, by what takes them; the run takes their sum. */
export interface LanguageEstimate {
  /** The frozen weights as they are kept. */
  weights: number;
  /** What trains: values, gradients, the best state's copy. */
  adapter: number;
  /** AdamW's two means. */
  moments: number;
  /** What the backward pass needs of the forward pass. */
  activations: number;
  /** The logits of some positions and their gradients. */
  logits: number;
}

/** How the next token is chosen, by the names of transformers' GenerationConfig. */
export interface GenerationOptions {
  /** Tokens at most; default 128. */
  maxNewTokens?: number;
  /** Draw from the distribution, otherwise the likeliest token is taken; default false. */
  doSample?: boolean;
  /** What logits are divided by where it draws; default 1. */
  temperature?: number;
  /** Draw from so many likeliest tokens and those as likely as the last of them, 0 for all; default 50. */
  topK?: number;
  /** Draw from the likeliest tokens whose probabilities together reach this; default 1. */
  topP?: number;
  /** Makes tokens that stand in the text already less likely (Keskar et al. 2019); 1 (default) for none. */
  repetitionPenalty?: number;
  /** Every draw follows from it; default 42. */
  seed?: number;
  /** Texts that end a completion and are left out of it; default none. */
  stop?: string[];
}

/** A written text. */
export interface WrittenText {
  text: string;
  /** Tokens written, the ending one included. */
  tokens: number;
  /** Why it ended: a token that ends texts, one of `stop`, as many tokens as wanted or possible, or the caller. */
  ending: "endOfText" | "stopText" | "length" | "stopped";
}

/** How well texts' learnt tokens are predicted. */
export interface Likelihood {
  /** Mean cross-entropy in nats. */
  loss: number;
  /** e to the loss. */
  perplexity: number;
  /** Share of targets that are the likeliest token. */
  tokenAccuracy: number;
  /** Number of targets. */
  tokens: number;
}

/** A prompt and what a model wrote behind it. */
export interface Completion {
  prompt: string;
  text: string;
}

/** The untuned model with examples in the prompt instead of in the weights. */
export interface FewShot {
  /** Examples before each text; fewer than asked where the context is too short. */
  examples: number;
  likelihood: Likelihood;
}

/**
 * What happens while a run goes on, in order: started, progress*, baselines, recipe, then per seed: seed? (step | evaluation)* seedFinished?, and in
 * the end finished.
 */
export type LanguageEvent =
  | {
      type: "started";
      trainTexts: number;
      validationTexts: number;
      /** Rows that the training texts are laid out in: blocks of long texts, or several texts in one where packed. */
      trainRows: number;
      /** Tokens of those rows, and how many of them are learnt. */
      trainTokens: number;
      trainTargets: number;
      /** Tokens of prompts that were cut, and in how many texts. */
      truncatedTokens: number;
      truncatedTexts: number;
      maxLength: number;
      trainedParameters: number;
      totalParameters: number;
      gradientCheckpointing: boolean;
      /** Estimated peak, bytes. */
      memoryEstimate: number;
      /** What a person should know of their data. */
      warnings: string[];
    }
  /** `done` of `total` batches of the validation texts are scored before training. */
  | { type: "progress"; done: number; total: number }
  | {
      /** What the untuned model does on the validation texts. */
      type: "baselines";
      /** null if the run was stopped before all texts were scored. */
      base: Likelihood | null;
      fewShot: FewShot | null;
      completions: Completion[];
    }
  | {
      /** All options as the run takes them, and why those that were left out are so. */
      type: "recipe";
      reasons: string[];
      options: ResolvedOptions;
      totalSteps: number;
      epochs: number;
    }
  | { type: "seed"; index: number; count: number; headSeed: number; dataSeed: number }
  | ({ type: "seedFinished"; index: number } & SeedRun)
  | {
      type: "step";
      stage: "language";
      /** From 1. */
      step: number;
      totalSteps: number;
      /** From 1. */
      epoch: number;
      /** Mean over the step's targets. */
      loss: number;
      learningRate: number;
      headLearningRate: number;
      /** Bottom to top. */
      groups: GroupRate[];
      /** Padding left out. */
      tokens: number;
      targets: number;
      /** Added by the worker: time this step took. */
      ms: number;
    }
  | {
      type: "evaluation";
      stage: "language";
      step: number;
      epoch: number;
      validation: Likelihood;
      best: boolean;
      completions: Completion[];
    }
  | {
      type: "finished";
      reason: FinishReason;
      /** For a person: what was kept and why. */
      message: string;
      /** The error that ended the run, if one did; the best state before it is kept. */
      error?: string;
      /** Step and epoch of the state that is kept; 0 if the untuned model was never beaten. */
      keptStep: number;
      keptEpoch: number;
      steps: number;
      trainLoss: number[];
      /** On the validation texts; null if the run was stopped before all of them were scored. */
      base: Likelihood | null;
      fewShot: FewShot | null;
      tuned: Likelihood | null;
      /** Of several seeds. */
      seeds?: SeedSummary;
      /** Whether tuning beat both. */
      verdict: string;
      options: ResolvedOptions;
      trainedParameters: number;
      totalParameters: number;
      /** Of the adapter's weights. */
      exportBytes: number;
    };

/** How texts and labels are put to a language model. */
export interface ChoiceOptions {
  /**
   * A prompt with `{text}` in it, and `{labels}` where the labels are to be named; a label follows behind a space. Default
   * "Text: {text}\nLabels: {labels}\nLabel:".
   */
  template?: string | undefined;
  /**
   * What the labels are ranked by: the log-probability of all of a label's tokens ("sum", the default, lm-evaluation-harness' `acc`), or
   * that over the label's characters (its `acc_norm`) or tokens, for labels of different lengths.
   */
  normalization?: "sum" | "characters" | "tokens" | undefined;
}

/** A text's label by its likelihood. */
export interface Choice {
  label: string;
  /** The softmax of what the labels are ranked by, in their order. */
  probabilities: number[];
  /** Of each label's words behind the prompt, in nats. */
  logLikelihoods: number[];
  /** Of each label's words. */
  tokens: number[];
  labels: string[];
}

/** The part of the engine that language models need; `src/wasm/language.rs` is the other side. */
export interface LanguageEngine {
  loadLanguageModel(name: string, files: SourceFile[], storage: WeightStorage): Promise<LanguageModelInfo>;
  estimateLanguageRun(config: Uint8Array, options: LanguageEstimateOptions): LanguageEstimate;
  parseTextRows(file: string, bytes: Uint8Array): ParsedText[];
  previewTextRow(row: ParsedText, options: LanguageTrainOptions): PreviewPiece[];
  /** Checks rows and options; the run itself goes on in `nextLanguageEvent`. `file` stands in errors. */
  startLanguageTraining(file: string, rows: ParsedText[], options: LanguageTrainOptions): void;
  /** Works until something is worth telling; undefined after `finished`. */
  nextLanguageEvent(): Promise<LanguageEvent | undefined>;
  /** Ends the run early: `finished` still comes, with the best state so far. */
  stopLanguageTraining(): void;
  scoreTextRows(
    file: string,
    rows: ParsedText[],
    options: LanguageTrainOptions,
    which: WhichModel,
  ): Promise<Likelihood>;
  classifyByLikelihood(texts: string[], labels: string[], options: ChoiceOptions, which: WhichModel): Promise<Choice[]>;
  startWriting(prompt: Prompt, options: GenerationOptions, which: WhichModel): void;
  /** `text` as soon as some is certain, and `done` at the end. */
  nextText(): Promise<{ text: string | null; done: WrittenText | null }>;
  stopWriting(): void;
  nextLogits(prompt: Prompt, which: WhichModel): Promise<Float32Array>;
  exportLanguageAdapter(): Promise<ExportedFile[]>;
  /** One file for llama.cpp's `--lora`. */
  exportGguf(): Promise<ExportedFile[]>;
  /** Begins a Transformers folder with the adapter folded in; `nextMergedPiece` gives it. */
  startMerging(): Promise<void>;
  /** What to write next; undefined at the end. */
  nextMergedPiece(): Promise<MergedPiece | undefined>;
  /** Drops a folder that nobody wants to its end. */
  stopMerging(): void;
  importLanguageAdapter(files: ExportedFile[]): Promise<void>;
}

/** A part of a folder that is written file after file. */
export type MergedPiece = { open: { path: string; size: number } } | Uint8Array | { close: true };
