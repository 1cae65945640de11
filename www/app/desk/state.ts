/** The state of a desk. Both tasks have all of this; each adds slices of its own. */
import type { BaseName, DeviceChoice, DeviceReport, ExportedFile, Remedy, WeightStorage } from "webtune";
import { emptyLine, type Line } from "./line";
import type { FieldValues } from "./read-options";
import type { TaskTypes } from "./task";
import type { UnfinishedRun } from "./unfinished-runs";

export interface Progress {
  /** What is going on, for a person. */
  text: string;
  /** From 0 to 1; undefined while the end is not known. */
  share?: number | undefined;
}

export interface ModelState<T extends TaskTypes = TaskTypes> {
  status: "empty" | "loading" | "ready";
  device: DeviceChoice;
  /** How the frozen weights are stored. */
  storage: WeightStorage;
  progress?: Progress | undefined;
  /** Of the model that the engine holds now, also while the next one loads. */
  info?: T["tuner"]["model"] | undefined;
  report?: DeviceReport | undefined;
  /** How exports name it, and whether that leads anywhere. */
  base?: BaseName | undefined;
  /** What the person typed in place of that name. */
  baseName?: string | undefined;
  error?: string | undefined;
  /** What loading it told besides, such as that it can't be kept. */
  notices?: readonly string[] | undefined;
  /** Counts up when the form of the source was filled in by the page. */
  formVersion: number;
}

export interface RowsState<T extends TaskTypes = TaskTypes> {
  items: T["row"][];
  note?: string | undefined;
  /** The warnings of the last source. */
  warnings?: readonly string[] | undefined;
  error?: string | undefined;
  /** What helps past the error. */
  remedy?: Remedy | undefined;
  reading: boolean;
  undo?: { what: string; items: T["row"][]; unsaved: boolean } | undefined;
  remember: boolean;
  /** Some rows are in no file: typed or pasted ones, or what is left of a file. */
  unsaved: boolean;
  /** This device remembers the rows as they are. */
  stored: boolean;
  /** Another tab has stored so many rows meanwhile, or removed them (0), and these are not stored until a person has chosen. */
  elsewhere?: number | undefined;
}

/** What is drawn during a run. */
export interface Curves<T extends TaskTypes = TaskTypes> {
  step: number;
  epoch: number;
  totalSteps: number;
  losses: Line;
  rates: Line;
  /** The untuned model first. Of many, some in the middle are left out. */
  evaluations: T["evaluation"][];
  /** How many there were. */
  evaluated: number;
}

/** `reloading`: the engine was lost, and the model is loaded into another one. */
export type RunStatus = "idle" | "starting" | "running" | "paused" | "stopping" | "reloading";

export interface RunState<T extends TaskTypes = TaskTypes> {
  status: RunStatus;
  options: FieldValues;
  fieldErrors: FieldValues;
  started?: T["started"] | undefined;
  /** How far the work before the first step is. */
  prepared?: { done: number; total: number } | undefined;
  findings: Partial<T["findings"]>;
  curves: Curves<T>;
  /** Milliseconds left, estimated from recent steps. */
  etaMs?: number | undefined;
  error?: string | undefined;
  /** What helps past the error. */
  remedy?: Remedy | undefined;
  /** How the run went on after its engine was lost. */
  recovery?: string | undefined;
  /** Why this browser does not keep the run's state. */
  storageTrouble?: string | undefined;
}

/** A run that was cut off and can go on. */
export interface UnfinishedState {
  offered?: UnfinishedRun | undefined;
  /** Its model is being loaded. */
  continuing: boolean;
  error?: string | undefined;
}

export interface ResultState<T extends TaskTypes = TaskTypes> {
  finished?: T["finished"] | undefined;
  /** Where the tuned model comes from: a run or an imported adapter. */
  origin?: "trained" | "imported" | undefined;
  /** Name of the tuned model; stored here because the model may be gone when the result is exported. */
  model: string;
  /** Grows with each new result, so that what an earlier one wrote or predicted is recognised. */
  version: number;
  /** The exported files; none for a language model that was tuned as a whole. */
  files?: ExportedFile[] | undefined;
  /** The name of the base model in these files. */
  filesBase?: string | undefined;
  exported: boolean;
  /** How far an export is, in words. */
  exporting?: string | undefined;
  exportNote?: string | undefined;
  exportError?: string | undefined;
  importNote?: string | undefined;
  importError?: string | undefined;
  /** The labels of an imported classifier whose files name none, as they are called now. */
  unnamedLabels?: readonly string[] | undefined;
  busy: boolean;
}

export interface DeskState<T extends TaskTypes = TaskTypes> {
  model: ModelState<T>;
  rows: RowsState<T>;
  run: RunState<T>;
  result: ResultState<T>;
  unfinished: UnfinishedState;
  /** For the live region: the last thing worth hearing. */
  announcement: string;
}

export const noCurves: Curves<never> = {
  step: 0,
  epoch: 0,
  totalSteps: 0,
  losses: emptyLine,
  rates: emptyLine,
  evaluations: [],
  evaluated: 0,
};

/** Every field by name, so that a patch with it leaves nothing of an earlier run. */
export const emptyRun = <T extends TaskTypes>(options: FieldValues): RunState<T> => ({
  status: "idle",
  options,
  fieldErrors: {},
  started: undefined,
  prepared: undefined,
  findings: {} as Partial<T["findings"]>,
  curves: noCurves,
  etaMs: undefined,
  error: undefined,
  remedy: undefined,
  recovery: undefined,
  storageTrouble: undefined,
});

/** Of a model that was not tuned. */
export const emptyResult = (version: number): ResultState<never> => ({
  finished: undefined,
  origin: undefined,
  model: "model",
  version,
  files: undefined,
  filesBase: undefined,
  exported: true,
  exporting: undefined,
  exportNote: undefined,
  exportError: undefined,
  importNote: undefined,
  importError: undefined,
  unnamedLabels: undefined,
  busy: false,
});

export const emptyDesk = <T extends TaskTypes>(): DeskState<T> => ({
  model: { status: "empty", device: "auto", storage: "f32", formVersion: 0 },
  rows: { items: [], reading: false, remember: false, unsaved: false, stored: false },
  run: emptyRun({}),
  result: emptyResult(0),
  unfinished: { continuing: false },
  announcement: "",
});

export const isBusy = (run: { status: RunStatus }): boolean => run.status !== "idle";

/** A run or a result that was never exported would be lost. */
export const wouldLoseResult = ({ run, result }: Pick<DeskState, "run" | "result">): boolean =>
  isBusy(run) || (result.origin === "trained" && !result.exported);

/** The same, and rows that are in no file and no storage. */
export const wouldLoseWork = (state: DeskState): boolean =>
  wouldLoseResult(state) || (state.rows.unsaved && !state.rows.stored);
