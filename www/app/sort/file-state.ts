/** What is known of a file that is to be classified, and of the one that is made of it. */
import type { Remedy, TableOptions, TextTableReading } from "webtune";

/** A row that cannot be read, as it is reported. */
export interface FileProblem {
  row: number;
  line: number;
  problem: string;
}

/** Rows, by what became of them. */
export interface FileTally {
  rows: number;
  labelled: number;
  /** Less confident than asked for. */
  unsure: number;
  /** Without a text. */
  blank: number;
  /** Rows that cannot be read, and the first of them. */
  problems: number;
  problemRows: readonly FileProblem[];
  /** Old cells that a spreadsheet would take for a formula. */
  formulas: number;
  /** Rows by label. */
  labels: ReadonlyMap<string, number>;
}

/** How a file came out. */
export interface FileOutcome {
  name: string;
  ended: "all" | "stopped" | "failed";
  tally: FileTally;
  seconds: number;
  /** Whether old cells that begin as formulas got an apostrophe. */
  quoted: boolean;
  /** What is to be downloaded; a file on the disk is there already. */
  content: Blob | undefined;
  downloaded: boolean;
}

export interface FileState {
  status: "idle" | "reading" | "running" | "stopping";
  source?: { name: string; content: Blob } | undefined;
  /** How it is read. */
  reading?: TextTableReading | undefined;
  /** What a person settled of that. */
  options: TableOptions;
  /** As it was typed, in percent. */
  threshold: string;
  /** Old cells that begin as formulas get an apostrophe. */
  quoteFormulas: boolean;
  progress?: { rows: number; share: number; perSecond: number; msLeft: number | undefined } | undefined;
  outcome?: FileOutcome | undefined;
  error?: string | undefined;
  remedy?: Remedy | undefined;
}

export const noFile: FileState = { status: "idle", options: {}, threshold: "0", quoteFormulas: false };

export const isClassifying = ({ status }: FileState): boolean => status === "running" || status === "stopping";

/** A labelled file that is neither on the disk nor downloaded, or that is being made. */
export const wouldLoseFile = (file: FileState): boolean =>
  isClassifying(file) || (file.outcome?.content !== undefined && !file.outcome.downloaded);
