/**
 * Enters: nothing. Leaves: the types of the messages between `client.ts` and `worker.ts`. Not part of the package's API.
 */
import type { WireError } from "./errors.js";
import type {
  BenchmarkShape,
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

export interface BenchmarkPlan {
  /** Timed optimiser steps in each round. */
  steps: number;
  /** `count` products [m, k] x [k, n] make one timing of the matmul ceiling. */
  matmul: { m: number; k: number; n: number; count: number };
  /** Each round times the products once and then the steps, so that both see the same machine. */
  rounds: number;
}

export interface BenchmarkResult {
  device: DeviceReport;
  /** Floating-point operations of one step. */
  flopsPerStep: number;
  /** The first step, untimed below: it includes shader compilation and first allocations. */
  firstStepMs: number;
  /** One entry per timed step, `rounds * steps` in all. */
  stepMs: number[];
  /** One entry per round, each the time of all `count` products. */
  matmulMs: number[];
  /** Size of the WebAssembly memory at the end, which is its peak. */
  memoryBytes: number;
}

/** Every call that the worker answers; `train` answers when the run has ended. */
export interface Calls {
  load(
    source: SettledSource,
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
  memoryBytes(): number;
  benchmark(
    device: DeviceChoice,
    shape: BenchmarkShape,
    plan: BenchmarkPlan,
    memoryLimitBytes: number | undefined,
  ): BenchmarkResult;
}

export type CallName = keyof Calls;
export type Arguments<Name extends CallName> = Parameters<Calls[Name]>;
export type Answer<Name extends CallName> = ReturnType<Calls[Name]>;

export type Control = "pause" | "resume" | "stop";

export type ToWorker =
  | { [Name in CallName]: { kind: "call"; id: number; name: Name; args: Arguments<Name> } }[CallName]
  /** Steers the run that call `id` started. */
  | { kind: "control"; id: number; action: Control };

export type FromWorker =
  | { kind: "answer"; id: number; value: unknown }
  | { kind: "error"; id: number; error: WireError }
  | { kind: "progress"; id: number; progress: LoadProgress }
  | { kind: "event"; id: number; event: TrainEvent }
  /** The worker is of no use any more. */
  | { kind: "fatal"; error: WireError };
