/** The state of the desk that sorts texts under labels. */
import type {
  Baselines,
  ClassifyEvent,
  ClassifyOptions,
  Comparison,
  GroupRate,
  ParsedTable,
  RunRecord,
  TextClassifier,
} from "webtune";
import type { Line } from "../desk/line";
import { type DeskState, emptyDesk, wouldLoseWork } from "../desk/state";
import { Store } from "../desk/store";
import type { Row } from "./checks";
import { type FileState, noFile, wouldLoseFile } from "./file-state";
import type { UnreadableRun } from "./kept-runs";

export type EventOf<T extends ClassifyEvent["type"]> = Extract<ClassifyEvent, { type: T }>;

/** A measurement on the validation rows; `probe` is the fitted head, before any step. */
export interface Evaluated {
  step: number;
  epoch: number;
  stage: "probe" | "contrastive" | "classify";
  /** As `scoreOf` says. */
  value: number;
  macroF1: number;
  best: boolean;
}

/** What a classifier's run reports besides its curves. */
export interface Findings {
  baselines: Baselines;
  recipe: EventOf<"recipe">;
  seed: EventOf<"seed">;
  seedRuns: EventOf<"seedFinished">[];
  stage: "contrastive" | "classify";
  headRates: Line;
  groups: { step: number; groups: GroupRate[] }[];
}

export interface SortTypes {
  tuner: TextClassifier;
  row: Row;
  options: ClassifyOptions;
  event: ClassifyEvent;
  started: EventOf<"started">;
  evaluation: Evaluated;
  findings: Findings;
  finished: EventOf<"finished">;
}

/** What rows were read from, stored so that it can be read again with other columns. */
export interface Source {
  name: string;
  content: Blob | string;
  /** The rows that were there before, if the source was added to them. */
  before: Row[];
}

export type TableReading = Pick<
  ParsedTable,
  | "format"
  | "columns"
  | "textColumn"
  | "textPairColumn"
  | "labelColumn"
  | "labelColumns"
  | "labelSeparator"
  | "problemType"
  | "delimiter"
  | "header"
  | "encoding"
>;

export interface TableState {
  source?: Source | undefined;
  /** How it was read. */
  found?: TableReading | undefined;
  /** A source that could not be read; the rows from before stay. */
  failed?: Source | undefined;
}

export interface RunsState {
  /** Oldest first. */
  records: RunRecord[];
  /** Left out of the plots. */
  hidden: ReadonlySet<string>;
  /** What the others are compared with. */
  reference?: string | undefined;
  /** Of those measured on the reference's rows, by id; a message if the comparison failed. */
  against: ReadonlyMap<string, Comparison | string>;
  /** Runs that this browser failed to store. */
  unstored: ReadonlySet<string>;
  /** Stored, but of a form that this page does not know. */
  unreadable: UnreadableRun[];
  note?: string | undefined;
  error?: string | undefined;
}

export interface SortState extends DeskState<SortTypes> {
  table: TableState;
  /** What a person wrote about labels, for the zero-shot baseline. A map, as a label may have any name. */
  labels: { descriptions: ReadonlyMap<string, string> };
  runs: RunsState;
  /** A file that is classified. */
  file: FileState;
}

export class SortStore extends Store<SortState> {
  constructor() {
    super({
      ...emptyDesk<SortTypes>(),
      table: {},
      labels: { descriptions: new Map() },
      runs: { records: [], hidden: new Set(), against: new Map(), unstored: new Set(), unreadable: [] },
      file: noFile,
    });
  }
}

export const wouldLoseAnything = (state: SortState): boolean =>
  wouldLoseWork(state) || state.runs.unstored.size > 0 || wouldLoseFile(state.file);
