/**
 * Enters: nothing. Leaves: the state of the desk where a language model is tuned.
 */
import type {
  Completion,
  DeviceChoice,
  DeviceReport,
  ExportedFile,
  FewShot,
  LanguageEstimate,
  LanguageEvent,
  LanguageModelInfo,
  Likelihood,
  ModelSource,
  ParsedText,
  WeightStorage,
} from "webtune";
import type { Progress } from "../desk/loading";
import type { FieldValues } from "../desk/read-options";
import { Store } from "../desk/store";
import type { RunStatus } from "../sort/state";

export type LanguageEventOf<T extends LanguageEvent["type"]> = Extract<LanguageEvent, { type: T }>;

/** What a run would take when one setting is changed. */
export interface Remedy {
  /** "8-bit weights" */
  what: string;
  bytes: number;
}

/** What a run with the settings of this moment would take. */
export interface Budget {
  /** By storage; without and with gradient checkpointing. */
  table: { storage: WeightStorage; plain: number; checkpointed: number }[];
  /** Of the chosen storage. */
  parts: LanguageEstimate;
  total: number;
  checkpointing: boolean;
  /** Most that may be planned for in this tab. */
  limit: number;
  /** Single changes that take less, the one that saves the least work first. */
  remedies: Remedy[];
  /** The settings in words. */
  settings: string;
}

export interface LanguageModelState {
  status: "empty" | "loading" | "ready";
  device: DeviceChoice;
  storage: WeightStorage;
  progress?: Progress | undefined;
  info?: LanguageModelInfo | undefined;
  report?: DeviceReport | undefined;
  error?: string | undefined;
  /** What the budget is of: its config.json, once that was read. */
  config?: { source: ModelSource; name: string; bytes: Uint8Array } | undefined;
  budget?: Budget | undefined;
  budgetError?: string | undefined;
  reading: boolean;
}

/** A row with a number of its own, which stays as others go. */
export interface TextItem {
  id: number;
  row: ParsedText;
}

export interface TextsState {
  items: TextItem[];
  note?: string | undefined;
  error?: string | undefined;
  reading: boolean;
  undo?: { what: string; items: TextItem[]; typed: boolean } | undefined;
  remember: boolean;
  /** Some rows stand in no file of the person's: pasted ones, or what is left of a file. */
  typed: boolean;
  /** This device remembers the rows as they are. */
  stored: boolean;
}

/** One judgement on the validation texts. */
export interface JudgedTexts {
  step: number;
  epoch: number;
  likelihood: Likelihood;
  best: boolean;
  completions: Completion[];
}

export interface LanguageRunState {
  status: RunStatus;
  options: FieldValues;
  fieldErrors: FieldValues;
  started?: LanguageEventOf<"started"> | undefined;
  scored?: { done: number; total: number } | undefined;
  base?: Likelihood | undefined;
  fewShot?: FewShot | null | undefined;
  step: number;
  epoch: number;
  totalSteps: number;
  losses: number[];
  rates: number[];
  /** The untuned model first. */
  judged: JudgedTexts[];
  /** Of the last steps. */
  tokensPerSecond?: number | undefined;
  etaMs?: number | undefined;
  error?: string | undefined;
}

export interface LanguageResultState {
  finished?: LanguageEventOf<"finished"> | undefined;
  origin?: "trained" | "imported" | undefined;
  /** Name of the tuned model; kept here, as the model may be gone when the result leaves. */
  model: string;
  /** Grows with each new result, so that shown texts are known to be of an older one. */
  version: number;
  /** The PEFT folder; none for a whole tuned model. */
  files?: ExportedFile[] | undefined;
  exported: boolean;
  /** How an export that goes on is, in words. */
  leaving?: string | undefined;
  exportNote?: string | undefined;
  exportError?: string | undefined;
  importNote?: string | undefined;
  importError?: string | undefined;
  busy: boolean;
}

/** A text as it is being written. */
export interface Writing {
  text: string;
  status: "waiting" | "writing" | "done" | "failed";
  /** Why it ended, and how fast. */
  note?: string | undefined;
}

export interface TryState {
  /** Of which result. */
  version: number;
  base?: Writing | undefined;
  tuned?: Writing | undefined;
  busy: boolean;
  error?: string | undefined;
}

export interface LanguageState {
  model: LanguageModelState;
  texts: TextsState;
  run: LanguageRunState;
  result: LanguageResultState;
  trying: TryState;
  announcement: string;
}

/** Every field by name, so that a patch with it leaves nothing of an earlier run. */
export const emptyLanguageRun = (options: FieldValues): LanguageRunState => ({
  status: "idle",
  options,
  fieldErrors: {},
  started: undefined,
  scored: undefined,
  base: undefined,
  fewShot: undefined,
  step: 0,
  epoch: 0,
  totalSteps: 0,
  losses: [],
  rates: [],
  judged: [],
  tokensPerSecond: undefined,
  etaMs: undefined,
  error: undefined,
});

/** Of a model to which nothing has happened; `version` counts on. */
export const emptyResult = (version: number): LanguageResultState => ({
  finished: undefined,
  origin: undefined,
  model: "model",
  version,
  files: undefined,
  exported: true,
  leaving: undefined,
  exportNote: undefined,
  exportError: undefined,
  importNote: undefined,
  importError: undefined,
  busy: false,
});

const initialState: LanguageState = {
  model: { status: "empty", device: "auto", storage: "f32", reading: false },
  texts: { items: [], reading: false, remember: false, typed: false, stored: false },
  run: emptyLanguageRun({}),
  result: emptyResult(0),
  trying: { version: 0, busy: false },
  announcement: "",
};

export class LanguageStore extends Store<LanguageState> {
  constructor() {
    super(initialState);
  }
}

/** A run or its result would go. */
export const wouldLoseTuned = ({ run, result }: LanguageState): boolean =>
  run.status !== "idle" || (result.origin === "trained" && !result.exported);

/** The same, and texts that stand in no file and no storage. */
export const leavingWouldLose = (state: LanguageState): boolean =>
  wouldLoseTuned(state) || (state.texts.typed && !state.texts.stored);
