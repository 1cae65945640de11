/**
 * What the WebAssembly module exports, as `src/wasm` has it. Every error that it throws is an `ErrorReport`; one that `isFatal` knows
 * is a panic or a lost graphics card, after which the instance is of no use.
 */
import type { SourceFile } from "../sources/http-file.js";
import type {
  Choice,
  ChoiceOptions,
  Comparison,
  Evaluation,
  Example,
  ExportFormat,
  GenerationOptions,
  LanguageEstimate,
  LanguageOptions,
  Likelihood,
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
import type { CallEvent, TaskName, Tasks } from "./messages.js";

/** A file of an export; `path` uses forward slashes. */
export interface ExportedFile {
  path: string;
  bytes: Uint8Array;
}

/** A part of a folder that is written file after file: a file is opened, its bytes follow, it is closed. */
export type ExportPiece = { open: { path: string; size: number } } | Uint8Array | { close: true };

/** An opened engine; models keep what they need of it. */
export interface EngineDevice {
  /** Bytes of the GPU buffers that the engine holds, in use or kept for the next step; 0 on the CPU engine. */
  bufferBytes(): number;
  free(): void;
}

/** Carries bytes between engines that make the same calls, for the first of them; messages of one arrive in order. */
export interface LeadWire {
  /** What each of the others sends, by rank; undefined for one that is lost. */
  gather(): Promise<(Uint8Array | undefined)[]>;
  /** Tells all others. */
  tell(bytes: Uint8Array): void;
}

/** The same for the others. */
export interface MemberWire {
  /** Sends this, and gives what the first one tells. */
  swap(bytes: Uint8Array): Promise<Uint8Array>;
}

/** A loaded model with at most one run and one result: what both tasks have. */
export interface EngineModel<Task extends TaskName> {
  info(): Tasks[Task]["info"];
  /** From here on it is number `rank` of `size` engines that make the same calls, counted from 0. */
  join(rank: number, size: number, wire: LeadWire | MemberWire): void;
  /** Checks rows and options; the run itself goes on in `nextEvent`. `file` is what errors call the rows. */
  start(file: string, rows: Tasks[Task]["row"][], options: Tasks[Task]["options"]): void;
  /** Begins a run where a checkpoint left off. `options`: those with a person's texts, which no checkpoint holds. */
  resume(file: string, rows: Tasks[Task]["row"][], checkpoint: Uint8Array, options: Tasks[Task]["options"]): void;
  /** Begins to write the run's state of now; false if there is none that it could go on from. */
  startCheckpoint(): boolean;
  /** The next piece of it; undefined after the last. */
  nextCheckpointPiece(): Promise<Uint8Array | undefined>;
  /** Works until something is worth reporting; undefined after `finished`. */
  nextEvent(): Promise<CallEvent | undefined>;
  /** Ends the run early: `finished` still comes, with the best state so far. */
  stop(): void;
  /** What the present result can be exported as, its own format first. */
  formats(): ExportFormat[];
  /** What exports call the base model from now on. */
  setName(name: string): void;
  /** Begins an export; `nextPiece` gives it. */
  startExport(format: ExportFormat | undefined): Promise<void>;
  /** What to write next; undefined at the end. */
  nextPiece(): Promise<ExportPiece | undefined>;
  /** Cancels an unfinished export and drops the bytes that wait. */
  stopExport(): void;
  importFiles(files: ExportedFile[]): Promise<void>;
  free(): void;
}

export interface EngineClassifier extends EngineModel<"classify"> {
  predict(texts: TextInput[], which: WhichModel): Promise<Prediction[]>;
  evaluate(examples: Example[]): Promise<Evaluation>;
  score(examples: Example[]): Promise<Scores>;
}

export interface EngineLanguageModel extends EngineModel<"language"> {
  evaluate(file: string, rows: ParsedText[], options: LanguageOptions, which: WhichModel): Promise<Likelihood>;
  preview(row: ParsedText, options: LanguageOptions): PreviewPiece[];
  classify(texts: string[], labels: string[], options: ChoiceOptions, which: WhichModel): Promise<Choice[]>;
  startText(prompt: Prompt, options: GenerationOptions, which: WhichModel): void;
  /** `text` as soon as some is certain, and `done` at the end. */
  nextText(): Promise<{ text: string | null; done: WrittenText | null }>;
  stopText(): void;
  nextLogits(prompt: Prompt, which: WhichModel): Promise<Float32Array>;
}

export interface EngineExports {
  /** Once per WebAssembly instance for "webgpu". `memoryLimit`, and `largestTensor` of a graphics card, in bytes. */
  openDevice(device: "webgpu" | "cpu", memoryLimit: number, largestTensor?: number): Promise<EngineDevice>;
  Classifier: {
    load(device: EngineDevice, name: string, files: SourceFile[], storage: WeightStorage): Promise<EngineClassifier>;
  };
  LanguageModel: {
    load(device: EngineDevice, name: string, files: SourceFile[], storage: WeightStorage): Promise<EngineLanguageModel>;
  };
  parseTable(name: string, bytes: Uint8Array, options: ParseOptions): ParsedTable;
  parseTextRows(file: string, bytes: Uint8Array, options: TextOptions): ParsedTexts;
  /** B against A by a paired bootstrap; one entry per row, whether it was labelled rightly. */
  compareRuns(a: boolean[], b: boolean[]): Comparison;
  /** What a run would take and decide, from a `config.json` alone. */
  estimateLanguageRun(
    device: EngineDevice,
    config: Uint8Array,
    storage: WeightStorage,
    options: LanguageOptions,
  ): LanguageEstimate;
  /** The config.json that the engine makes from a GGUF file's head. */
  ggufConfig(file: SourceFile): Promise<Uint8Array>;
  /** Size of the WebAssembly memory now, which never shrinks: its peak. */
  memoryBytes(): number;
  /** What the browser refused to add to that memory, in bytes; 0 if it never did. May be asked after a trap. */
  refusedBytes(): number;
}
