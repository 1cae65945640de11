/**
 * Enters: nothing. Leaves: the package's public names.
 */
export { type BenchmarkOptions, runBenchmark } from "./benchmark.js";
export { FineTuner, type LoadOptions } from "./client.js";
export type { BenchmarkPlan, BenchmarkResult, LoadProgress } from "./messages.js";
export { parseExamples } from "./parse.js";
export {
  type BenchmarkShape,
  type ClassReport,
  type DeviceChoice,
  type DeviceReport,
  type ErrorCode,
  type EvaluatedRow,
  type Evaluation,
  type Example,
  type ExportedFile,
  type HeadKind,
  type LoraMethod,
  type ModelInfo,
  type ModelSource,
  type ParsedRow,
  type ParsedTable,
  type ParseOptions,
  type Prediction,
  type Report,
  type TableFormat,
  type TrainEvent,
  type TrainOptions,
  WebtuneError,
} from "./protocol.js";
export type { TrainingRun } from "./run.js";
