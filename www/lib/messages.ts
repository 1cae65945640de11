/**
 * Enters: nothing. Leaves: the types of the messages between `client.ts` and `worker.ts`. Not part of the package's API.
 */
import type { WireError } from "./errors.js";
import type {
  Choice,
  ChoiceOptions,
  GenerationOptions,
  LanguageEstimate,
  LanguageEstimateOptions,
  LanguageEvent,
  LanguageModelInfo,
  LanguageTrainOptions,
  Likelihood,
  MergedPiece,
  ParsedText,
  PreviewPiece,
  Prompt,
  WeightStorage,
  WhichModel,
  WrittenText,
} from "./language-protocol.js";
import type {
  Comparison,
  DeviceChoice,
  DeviceReport,
  Evaluation,
  Example,
  ExportedFile,
  ModelInfo,
  ParsedTable,
  ParseOptions,
  Prediction,
  TrainEvent,
  TrainOptions,
} from "./protocol.js";

/** A `ModelSource` in a form that survives structured cloning: paths settled, addresses absolute. */
export type SettledSource =
  | { files: { path: string; blob: Blob }[]; name: string }
  | { url: string; name?: string }
  | { repository: string; revision?: string; hubUrl?: string; accessToken?: string };

/** What loading tells on the way: bytes of one file, or the name of the phase that begins. */
export type LoadProgress = { file: string; loaded: number; total: number } | { phase: string };

/** Every call that the worker answers; `train` and `trainLanguage` answer when the run has ended. */
export interface Calls {
  load(
    source: SettledSource,
    storage: WeightStorage,
    device: DeviceChoice,
    memoryLimitBytes: number | undefined,
  ): { device: DeviceReport; model: ModelInfo };
  parse(name: string, bytes: Uint8Array, options: ParseOptions): ParsedTable;
  compare(a: boolean[], b: boolean[]): Comparison;
  train(examples: Example[], options: TrainOptions): undefined;
  predict(texts: string[], which: "tuned" | "baseline"): Prediction[];
  evaluate(examples: Example[]): Evaluation;
  exportAdapter(): ExportedFile[];
  importAdapter(files: ExportedFile[]): undefined;
  loadLanguage(
    source: SettledSource,
    storage: WeightStorage,
    device: DeviceChoice,
    memoryLimitBytes: number | undefined,
  ): { device: DeviceReport; model: LanguageModelInfo };
  readConfig(source: SettledSource): Uint8Array;
  /** From a `config.json`'s bytes, or a source that has one. */
  estimateLanguage(
    from: SettledSource | Uint8Array,
    options: LanguageEstimateOptions,
    device: DeviceChoice,
  ): LanguageEstimate;
  parseTextRows(name: string, bytes: Uint8Array): ParsedText[];
  previewTextRow(row: ParsedText, options: LanguageTrainOptions): PreviewPiece[];
  trainLanguage(file: string, rows: ParsedText[], options: LanguageTrainOptions): undefined;
  scoreTextRows(file: string, rows: ParsedText[], options: LanguageTrainOptions, which: WhichModel): Likelihood;
  classifyByLikelihood(texts: string[], labels: string[], options: ChoiceOptions, which: WhichModel): Choice[];
  /** Tells pieces of text as events, and the whole at the end. */
  generate(prompt: Prompt, options: GenerationOptions, which: WhichModel): WrittenText;
  nextLogits(prompt: Prompt, which: WhichModel): Float32Array;
  exportLanguageAdapter(): ExportedFile[];
  exportGguf(): ExportedFile[];
  /** Tells the folder's pieces as events, each after a `resume` for the one before. */
  exportMerged(): undefined;
  importLanguageAdapter(files: ExportedFile[]): undefined;
  memoryBytes(): number;
  bufferBytes(): number;
}

export type CallName = keyof Calls;
export type Arguments<Name extends CallName> = Parameters<Calls[Name]>;
export type Answer<Name extends CallName> = ReturnType<Calls[Name]>;

/** What a call tells on the way: a run its events, a text its pieces, a merged model its files' bytes. */
export type CallEvent =
  | TrainEvent
  | LanguageEvent
  | { type: "text"; text: string }
  | { type: "piece"; piece: MergedPiece };

export type Control = "pause" | "resume" | "stop";

export type ToWorker =
  | { [Name in CallName]: { kind: "call"; id: number; name: Name; args: Arguments<Name> } }[CallName]
  /** Steers the run, text or merged folder that call `id` started. */
  | { kind: "control"; id: number; action: Control };

export type FromWorker =
  | { kind: "answer"; id: number; value: unknown }
  | { kind: "error"; id: number; error: WireError }
  | { kind: "progress"; id: number; progress: LoadProgress }
  | { kind: "event"; id: number; event: CallEvent }
  /** The worker is of no use any more. */
  | { kind: "fatal"; error: WireError };
