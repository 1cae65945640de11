/**
 * The messages between the page's side (`link.ts`) and the worker (`host.ts`). Not part of the package's API.
 */
import type { DeviceChoice, DeviceReport } from "../device.js";
import type { BaseName } from "../sources/base-name.js";
import type { SettledSource } from "../sources/settle.js";
import type {
  Choice,
  ChoiceOptions,
  ClassifyEvent,
  ClassifyOptions,
  Comparison,
  ErrorReport,
  Evaluation,
  Example,
  ExportFormat,
  GenerationOptions,
  LanguageEstimate,
  LanguageEvent,
  LanguageModelInfo,
  LanguageOptions,
  Likelihood,
  ModelInfo,
  ParsedTable,
  ParsedText,
  ParsedTexts,
  ParseOptions,
  Prediction,
  PreviewPiece,
  Prompt,
  Scores,
  TextInput,
  TextOptions,
  WeightStorage,
  WhichModel,
  WrittenText,
} from "../types/engine.js";
import type { ExportedFile, ExportPiece } from "./engine.js";

/**
 * What loading reports on the way: bytes of one file, the name of the phase that begins, or something that a person should know,
 * such as that the model can't be kept, or that kept files are used because the server doesn't answer.
 */
export type LoadProgress = { file: string; loaded: number; total: number } | { phase: string } | { notice: string };

/** What the two kinds of model differ in. */
export interface Tasks {
  classify: { row: Example; options: ClassifyOptions; event: ClassifyEvent; info: ModelInfo };
  language: { row: ParsedText; options: LanguageOptions; event: LanguageEvent; info: LanguageModelInfo };
}
export type TaskName = keyof Tasks;

/** How a model is loaded. */
export interface ModelRequest {
  task: TaskName;
  name: string;
  storage: WeightStorage;
  memoryLimitBytes: number;
}

/** A run to begin, or to go on with. */
export interface RunRequest {
  /** What errors call the rows. */
  file: string;
  rows: readonly unknown[];
  options: object;
  /** The state to go on from. */
  from: Uint8Array | undefined;
  /** How often a checkpoint is wanted. */
  checkpointSeconds: number | undefined;
}

/** Every call that the worker answers. */
export interface Calls {
  load(
    task: TaskName,
    source: SettledSource,
    storage: WeightStorage,
    device: DeviceChoice,
    memoryLimitBytes: number | undefined,
    keep: boolean,
    team: {
      /** Ways to other workers, which were told to `follow`. */
      others: MessagePort[];
      /** Whether all of them are to compute, even where the browser tells of little memory. */
      enough: boolean;
    },
  ): { device: DeviceReport; model: ModelInfo | LanguageModelInfo; base: BaseName };
  /** Makes the calls of the engine on the other side of this way, from its load on. Answers when that does without it. */
  follow(port: MessagePort): undefined;
  /** Answers when the run has ended. */
  train(run: RunRequest): undefined;
  formats(): ExportFormat[];
  /** The folder's pieces are events, each after a `resume` for the one before. */
  export(format: ExportFormat | undefined, baseName: string | undefined): undefined;
  import(files: ExportedFile[]): undefined;
  memoryBytes(): number;
  bufferBytes(): number;

  predict(texts: TextInput[], which: WhichModel): Prediction[];
  evaluateClassifier(examples: Example[]): Evaluation;
  score(examples: Example[]): Scores;

  evaluateLanguage(file: string, rows: ParsedText[], options: LanguageOptions, which: WhichModel): Likelihood;
  preview(row: ParsedText, options: LanguageOptions): PreviewPiece[];
  classify(texts: string[], labels: string[], options: ChoiceOptions, which: WhichModel): Choice[];
  /** Pieces of the text are events, the whole is the answer. */
  generate(prompt: Prompt, options: GenerationOptions, which: WhichModel): WrittenText;
  nextLogits(prompt: Prompt, which: WhichModel): Float32Array;

  parse(name: string, bytes: Uint8Array, options: ParseOptions): ParsedTable;
  parseTextRows(name: string, bytes: Uint8Array, options: TextOptions): ParsedTexts;
  compare(a: boolean[], b: boolean[]): Comparison;
  /** Of a GGUF file those that the engine makes from its head. */
  readConfig(source: SettledSource): Uint8Array;
  /** From a `config.json`'s bytes. */
  estimateLanguage(
    config: Uint8Array,
    storage: WeightStorage,
    options: LanguageOptions,
    device: DeviceChoice,
  ): LanguageEstimate;
}

export type CallName = keyof Calls;
export type Arguments<Name extends CallName> = Parameters<Calls[Name]>;
export type Answer<Name extends CallName> = ReturnType<Calls[Name]>;

/** What a call reports on the way: a run its events and checkpoints, a text its pieces, an export its files' bytes. */
export type CallEvent =
  | ClassifyEvent
  | LanguageEvent
  | { type: "checkpoint"; bytes: Uint8Array; ms: number }
  | { type: "text"; text: string }
  | { type: "piece"; piece: ExportPiece };

/** `saved`: the last checkpoint is where it belongs, and another may come. `heard`: as many events as `HEARD` have arrived. */
export type Control = "pause" | "resume" | "stop" | "saved" | "heard";
/** Events of a run that the page confirms at a time. */
export const HEARD = 64;

export type ToWorker =
  | { [Name in CallName]: { kind: "call"; id: number; name: Name; args: Arguments<Name> } }[CallName]
  /** Steers the run, text or export that call `id` started. */
  | { kind: "control"; id: number; action: Control }
  /** The worker on the other side of a port that `load` was given has ended; counted from 0. */
  | { kind: "lost"; member: number; why: string };

export type FromWorker =
  | { kind: "answer"; id: number; value: unknown }
  | { kind: "error"; id: number; error: ErrorReport }
  | { kind: "progress"; id: number; progress: LoadProgress }
  | { kind: "event"; id: number; event: CallEvent }
  /** The worker is of no use any more. */
  | { kind: "fatal"; error: ErrorReport };
