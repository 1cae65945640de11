/**
 * Enters: nothing. Leaves: the package's public names.
 */
export { FineTuner, type LoadOptions } from "./client.js";
export { compareRuns } from "./compare.js";
export { type GenerateOptions, type LanguageLoadOptions, LanguageTuner } from "./language-client.js";
export type {
  Choice,
  ChoiceOptions,
  Completion,
  FewShot,
  GenerationOptions,
  LanguageEstimate,
  LanguageEstimateOptions,
  LanguageEvent,
  LanguageMethod,
  LanguageModelInfo,
  LanguageTrainOptions,
  Likelihood,
  MergedPiece,
  Message,
  ParsedText,
  PreviewPiece,
  Prompt,
  TextRow,
  WeightStorage,
  WhichModel,
  WrittenText,
} from "./language-protocol.js";
export { estimateLanguageRun, memoryLimit, type NamedText, parseTextRows, readModelConfig } from "./language-texts.js";
export type { LoadProgress } from "./messages.js";
export { parseExamples } from "./parse.js";
export {
  type Baselines,
  type ClassReport,
  type Comparison,
  type ContrastiveOptions,
  type DeviceChoice,
  type DeviceReport,
  type ErrorCode,
  type EvaluatedRow,
  type Evaluation,
  type Example,
  type ExportedFile,
  type FinishReason,
  type Forgetting,
  type FullMethod,
  type GroupRate,
  type HeadKind,
  type HoulsbyMethod,
  type LoraMethod,
  type Method,
  type MethodType,
  type ModelInfo,
  type ModelSource,
  type ParsedRow,
  type ParsedTable,
  type ParseOptions,
  type Prediction,
  type PrefixMethod,
  type ProbeMethod,
  type RecipeName,
  type Report,
  type ResolvedOptions,
  type SeedRun,
  type SeedSummary,
  type TableFormat,
  type TrainEvent,
  type TrainOptions,
  WebtuneError,
} from "./protocol.js";
export { type RunContext, type RunRecord, RunRecorder } from "./record.js";
export { recordFromJson, recordToJson } from "./record-json.js";
export type { TrainingRun } from "./run.js";
