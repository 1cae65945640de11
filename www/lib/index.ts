/**
 * The package's public names.
 */
export { TextClassifier } from "./classifier.js";
export { type Classified, type ClassifyStreamOptions, classifyRows, type StreamRow } from "./classify.js";
export { type Configuration, configure } from "./configure.js";
export type { DeviceChoice, DeviceReport, EngineModule } from "./device.js";
export { WebtuneError } from "./errors.js";
export { type GenerateOptions, LanguageModel } from "./language.js";
export { type DescribedCall, describeOptions } from "./options.js";
export { type RunContext, type RunRecord, RunRecorder } from "./record/record.js";
export { recordFromJson, recordFromObject, recordToJson } from "./record/record-json.js";
export type { FinishedEvent, TrainingRun } from "./run.js";
export type { BaseName } from "./sources/base-name.js";
export type { KeptSource } from "./sources/kept-about.js";
export { type KeptModel, keptModels, removeKeptModel } from "./sources/kept-models.js";
export type { ModelSource } from "./sources/settle.js";
export {
  compareRuns,
  estimateLanguageRun,
  type LanguageEstimateOptions,
  memoryLimit,
  type NamedText,
  parseExamples,
  parseTextRows,
  readModelConfig,
} from "./standalone.js";
export { isFormula } from "./table/cells.js";
export type { ByteSource } from "./table/characters.js";
export type { TableRow } from "./table/rows.js";
export type { TextTableFormat } from "./table/sniff.js";
export { openTable, type TableOptions, type TextTable, type TextTableReading } from "./table/table.js";
export { type WriteOptions, writeTable, writtenName } from "./table/write.js";
export type { CheckpointControls, ExportOptions, LoadOptions, TrainControls } from "./tuner.js";
export type * from "./types/engine.js";
export type { OptionSpec } from "./types/options.js";
export type { WorkerChoice } from "./worker/cores.js";
export type { ExportedFile, ExportPiece } from "./worker/engine.js";
export { type StartWorker, startWorkersWith, type WorkerLike } from "./worker/link.js";
export type { LoadProgress } from "./worker/messages.js";
