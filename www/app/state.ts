/**
 * Enters: changes from the actions. Leaves: one immutable state that every step of the page reads.
 */
import { useEffect, useState } from "preact/hooks";
import type { DeviceChoice, DeviceReport, ExportedFile, ModelInfo, ParsedTable, TrainEvent } from "webtune";
import type { Row } from "./checks";
import type { FieldValues } from "./options";

type EventOf<T extends TrainEvent["type"]> = Extract<TrainEvent, { type: T }>;
export type Started = EventOf<"started">;
export type Finished = EventOf<"finished">;

export interface Progress {
  /** What is going on, for a person. */
  text: string;
  /** From 0 to 1; undefined while the end is not known. */
  share?: number | undefined;
}

export interface ModelState {
  status: "empty" | "loading" | "ready";
  device: DeviceChoice;
  progress?: Progress | undefined;
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
  source?: Source | undefined;
  table?: Pick<ParsedTable, "format" | "columns" | "textColumn" | "labelColumn"> | undefined;
  /** A source that could not be read; what was there stays. */
  failed?: Source | undefined;
  note?: string | undefined;
  error?: string | undefined;
  reading: boolean;
  undo?: { what: string; rows: Row[] } | undefined;
  remember: boolean;
  /** Rows were typed or changed by hand since they were last saved. */
  unsaved: boolean;
}

export interface RunState {
  status: "idle" | "starting" | "running" | "paused" | "stopping";
  options: FieldValues;
  fieldErrors: FieldValues;
  started?: Started | undefined;
  features?: { done: number; total: number } | undefined;
  step: number;
  epoch: number;
  losses: number[];
  rates: number[];
  headRates: number[];
  /** Step and accuracy on the validation rows; step 0 is the probe. */
  accuracies: { step: number; epoch: number; accuracy: number; macroF1: number; best: boolean }[];
  /** Milliseconds left, as far as the past tells. */
  etaMs?: number | undefined;
  error?: string | undefined;
}

export interface ResultState {
  finished?: Finished | undefined;
  /** What to predict and export with: a run's end or an imported adapter. */
  origin?: "trained" | "imported" | undefined;
  /** Grows with each new adapter, so that shown predictions are made anew. */
  version: number;
  files?: ExportedFile[] | undefined;
  exported: boolean;
  exportError?: string | undefined;
  importNote?: string | undefined;
  importError?: string | undefined;
  busy: boolean;
}

export interface State {
  model: ModelState;
  examples: ExamplesState;
  run: RunState;
  result: ResultState;
  /** For the live region: the last thing worth hearing. */
  announcement: string;
}

export const emptyRun = (options: FieldValues): RunState => ({
  status: "idle",
  options,
  fieldErrors: {},
  step: 0,
  epoch: 0,
  losses: [],
  rates: [],
  headRates: [],
  accuracies: [],
});

export const initialState: State = {
  model: { status: "empty", device: "auto" },
  examples: { rows: [], reading: false, remember: false, unsaved: false },
  run: emptyRun({}),
  result: { version: 0, exported: true, busy: false },
  announcement: "",
};

export const isBusy = (run: RunState): boolean => run.status !== "idle";

/** Leaving the page now would lose a run or an adapter that was never saved. */
export const wouldLose = (state: State): boolean =>
  isBusy(state.run) || (state.result.origin === "trained" && !state.result.exported);

/** The same, and rows typed by hand that stand in no file. */
export const leavingWouldLose = (state: State): boolean => wouldLose(state) || state.examples.unsaved;

type Slice = "model" | "examples" | "run" | "result";

export class Store {
  state: State = initialState;
  readonly #listeners = new Set<(state: State) => void>();

  patch<K extends Slice>(slice: K, change: Partial<State[K]>): void {
    this.#set({ ...this.state, [slice]: { ...this.state[slice], ...change } });
  }

  announce(announcement: string): void {
    this.#set({ ...this.state, announcement });
  }

  subscribe(listener: (state: State) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #set(state: State): void {
    this.state = state;
    for (const listener of this.#listeners) listener(state);
  }
}

export function useStore(store: Store): State {
  const [state, set] = useState(store.state);
  useEffect(() => {
    set(store.state);
    return store.subscribe(set);
  }, [store]);
  return state;
}
