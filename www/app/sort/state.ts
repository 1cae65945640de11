/**
 * Enters: nothing. Leaves: the classifier's state, which every step of its desk reads.
 */
import type {
  Baselines,
  Comparison,
  DeviceChoice,
  DeviceReport,
  ExportedFile,
  GroupRate,
  ModelInfo,
  ParsedTable,
  RunRecord,
  TrainEvent,
  WeightStorage,
} from "webtune";
import type { Progress } from "../desk/loading";
import type { FieldValues } from "../desk/read-options";
import { Store as AnyStore } from "../desk/store";
import type { Row } from "./checks";

export type EventOf<T extends TrainEvent["type"]> = Extract<TrainEvent, { type: T }>;

export interface ModelState {
  status: "empty" | "loading" | "ready";
  device: DeviceChoice;
  /** How the frozen weights are to be kept. */
  storage: WeightStorage;
  progress?: Progress | undefined;
  /** Of the model that the engine holds now, also while the next one loads. */
  info?: ModelInfo | undefined;
  report?: DeviceReport | undefined;
  error?: string | undefined;
}

/** What the rows were last read from, kept for reading it again with other columns. */
export interface Source {
  name: string;
  content: Blob | string;
  /** The rows that were there before, where the source was added to them. */
  before: Row[];
}

export interface ExamplesState {
  rows: Row[];
  /** What a person wrote of a label, for the zero-shot baseline. */
  descriptions: Record<string, string>;
  source?: Source | undefined;
  table?: Pick<ParsedTable, "format" | "columns" | "textColumn" | "labelColumn"> | undefined;
  /** A source that could not be read; what was there stays. */
  failed?: Source | undefined;
  note?: string | undefined;
  error?: string | undefined;
  reading: boolean;
  undo?: { what: string; rows: Row[]; typed: boolean } | undefined;
  remember: boolean;
  /** Among the rows are some that stand in no file of the person's. */
  typed: boolean;
  /** This device remembers the rows as they are. */
  stored: boolean;
}

/** One judgement on the validation rows. */
export interface Judged {
  step: number;
  epoch: number;
  /** `probe` is the fitted head, before any step. */
  stage: "probe" | "contrastive" | "classify";
  accuracy: number;
  macroF1: number;
  best: boolean;
}

/** What is drawn while a run goes on; each seed begins it anew. */
export interface Curves {
  step: number;
  epoch: number;
  stage: "contrastive" | "classify";
  totalSteps: number;
  losses: number[];
  rates: number[];
  headRates: number[];
  groups: { step: number; groups: GroupRate[] }[];
  judged: Judged[];
}

export type RunStatus = "idle" | "starting" | "running" | "paused" | "stopping";

export interface RunState {
  status: RunStatus;
  options: FieldValues;
  fieldErrors: FieldValues;
  started?: EventOf<"started"> | undefined;
  features?: { done: number; total: number } | undefined;
  baselines?: Baselines | undefined;
  recipe?: EventOf<"recipe"> | undefined;
  seed?: EventOf<"seed"> | undefined;
  seedRuns: EventOf<"seedFinished">[];
  curves: Curves;
  /** Milliseconds left, as far as the past tells. */
  etaMs?: number | undefined;
  error?: string | undefined;
}

export interface ResultState {
  finished?: EventOf<"finished"> | undefined;
  /** What to predict and export with: a run's end or an imported adapter. */
  origin?: "trained" | "imported" | undefined;
  /** Grows with each new adapter, so that shown predictions are made anew. */
  version: number;
  files?: ExportedFile[] | undefined;
  /** Of the zip; kept here, as the model may be gone when it is asked for. */
  zip: string;
  exported: boolean;
  exportError?: string | undefined;
  importNote?: string | undefined;
  importError?: string | undefined;
  busy: boolean;
}

export interface RunsState {
  /** Oldest first. */
  records: RunRecord[];
  /** Left out of the plots. */
  hidden: ReadonlySet<string>;
  /** What the others are compared with. */
  reference?: string | undefined;
  /** Of those judged on the reference's rows, by id; a message where the comparison failed. */
  against: ReadonlyMap<string, Comparison | string>;
  /** Runs that this browser did not take into its storage. */
  unkept: ReadonlySet<string>;
  note?: string | undefined;
  error?: string | undefined;
}

export interface State {
  model: ModelState;
  examples: ExamplesState;
  run: RunState;
  result: ResultState;
  runs: RunsState;
  /** For the live region: the last thing worth hearing. */
  announcement: string;
}

export const noCurves: Curves = {
  step: 0,
  epoch: 0,
  stage: "classify",
  totalSteps: 0,
  losses: [],
  rates: [],
  headRates: [],
  groups: [],
  judged: [],
};

/** Every field by name, so that a patch with it leaves nothing of an earlier run. */
export const emptyRun = (options: FieldValues): RunState => ({
  status: "idle",
  options,
  fieldErrors: {},
  started: undefined,
  features: undefined,
  baselines: undefined,
  recipe: undefined,
  seed: undefined,
  seedRuns: [],
  curves: noCurves,
  etaMs: undefined,
  error: undefined,
});

const initialState: State = {
  model: { status: "empty", device: "auto", storage: "f32" },
  examples: { rows: [], descriptions: {}, reading: false, remember: false, typed: false, stored: false },
  run: emptyRun({}),
  result: { version: 0, zip: "", exported: true, busy: false },
  runs: { records: [], hidden: new Set(), against: new Map(), unkept: new Set() },
  announcement: "",
};

export const isBusy = (run: { status: RunStatus }): boolean => run.status !== "idle";

/** Leaving the page now would lose a run or an adapter that was never saved. */
export const wouldLose = (state: State): boolean =>
  isBusy(state.run) || (state.result.origin === "trained" && !state.result.exported);

/** The same, and what stands in no file and no storage: rows typed by hand, records of runs. */
export const leavingWouldLose = (state: State): boolean =>
  wouldLose(state) || (state.examples.typed && !state.examples.stored) || state.runs.unkept.size > 0;

/** Of the classifier's desk. */
export class Store extends AnyStore<State> {
  constructor() {
    super(initialState);
  }
}
