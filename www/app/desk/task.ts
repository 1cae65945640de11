/** What a task gives to the parts that both desks share: its types, its option fields and its calls into the package. */
import type {
  BaseName,
  CheckpointControls,
  DeviceReport,
  ExportedFile,
  ExportOptions,
  ExportPiece,
  LoadOptions,
  ModelSource,
  ResolvedClassifyOptions,
  ResolvedLanguageOptions,
  TrainingRun,
  WeightStorage,
} from "webtune";
import type { OptionField } from "./options";
import type { DefaultModel } from "./source-form";

/** `classify` sorts texts under labels, `write` answers and continues texts. */
export type TaskName = "classify" | "write";

/** The options of a run as the engine reports them, none left out. */
export type ResolvedOptions = ResolvedClassifyOptions | ResolvedLanguageOptions;

export interface ModelInfo {
  name: string;
  family: string;
  parameters: number;
  layers: number;
  hiddenSize: number;
  vocabSize: number;
  maxPositions: number;
  storage: WeightStorage;
}

/** A loaded model in a worker of its own. */
export interface Tuner<Info extends ModelInfo = ModelInfo> {
  readonly model: Info;
  readonly device: DeviceReport;
  readonly base: BaseName;
  export(options?: ExportOptions): Promise<ExportedFile[]>;
  exportPieces(options?: ExportOptions): AsyncIterable<ExportPiece>;
  import(files: readonly ExportedFile[]): Promise<void>;
  /** Why the engine is gone, if it is. */
  readonly closed: Error | undefined;
  dispose(): void;
}

export interface TaskTypes {
  tuner: Tuner;
  /** A row of the data, with a number that stays the same while other rows come and go. */
  row: { id: number };
  options: object;
  event: { type: string };
  /** The event that a run begins with. */
  started: { warnings: string[]; trainedParameters: number; totalParameters: number; memoryEstimate: number };
  /** A measurement on the validation rows. */
  evaluation: { step: number; epoch: number; best: boolean };
  /** What else a run reports. */
  findings: object;
  /** The event that a run ends with. */
  finished: {
    type: "finished";
    reason: string;
    message: string;
    error?: string | undefined;
    errorCode?: string | undefined;
    options: ResolvedOptions;
  };
}

export interface Task<T extends TaskTypes> {
  name: TaskName;
  /** The model that a desk offers first, once it is known where it is. */
  preset(): Promise<DefaultModel>;
  fields: readonly OptionField[];
  load(source: ModelSource, options: LoadOptions): Promise<T["tuner"]>;
  /** With a checkpoint the run goes on from there. */
  train(
    tuner: T["tuner"],
    rows: readonly T["row"][],
    options: T["options"],
    checkpoint: CheckpointControls | undefined,
    from: Uint8Array | undefined,
  ): TrainingRun<T["event"]>;
}
