/**
 * From a file's name and the beginning of its text to how its rows are written: as the engine's reader of examples decides
 * (`src/data/sniff.rs`, `src/data/delimiter.rs`), save that one column is enough, and that a text that is no table has a row on each line.
 */
import { fileError, optionError } from "../errors.js";
import { namesBoth } from "./known-columns.js";
import { firstRecords, quotesPairUp, type Separation } from "./records.js";

/** How the rows of a file to be labelled are written. */
export type TextTableFormat =
  /** Cells between commas, semicolons, tabs or pipes, quoted as in RFC 4180. */
  | "csv"
  /** Cells between tabs. */
  | "tsv"
  /** Two cells, between the first tab of a line; quotes are part of the text. */
  | "labelTab"
  /** A JSON object on each line. */
  | "jsonl"
  /** A text on each line. */
  | "lines";

/** What a caller may settle of a file; the rest is found by looking. */
export interface SniffOptions {
  /** Default: by the name and the first lines. */
  format?: TextTableFormat | undefined;
  /** One character between cells. Default: what a `sep=` line says, else found by looking. */
  delimiter?: string | undefined;
}

/** How a file is written, before its columns are known. */
export interface Layout {
  format: TextTableFormat;
  separation: Separation;
  /** A first line that names the delimiter, with its end. */
  above: string;
}

const CANDIDATES = [",", ";", "\t", "|"] as const;
/** Records that are looked at, blank lines among them. */
const SAMPLE = 100;
/** Lines that are looked at. */
const LINES = 200;

/**
 * @param head The beginning of the file's text. @param isWhole Whether it is all of it.
 * @throws WebtuneError `invalidOption`, `invalidFile` for JSON and labelled lines that are not rows of a table.
 */
export function layoutOf(name: string, head: string, isWhole: boolean, options: SniffOptions): Layout {
  const { delimiter: asked } = options;
  if (asked !== undefined && !isDelimiter(asked)) {
    const reason = `expected one character of ASCII such as , ; | or a tab, got ${JSON.stringify(asked)}`;
    throw optionError("delimiter", reason);
  }
  const named = separatorOf(head);
  const format = options.format ?? (asked !== undefined ? "csv" : formatOf(name, head, isWhole));
  if (asked !== undefined && format !== "csv" && format !== "tsv") {
    throw optionError("delimiter", `expected only with a table of columns, but ${name} is read in another format`);
  }
  const lines: Separation = {
    delimiter: undefined,
    quoting: false,
    looseQuotes: false,
    firstOnly: false,
    returns: head.includes("\r") && !head.includes("\n"),
  };
  switch (format) {
    case "jsonl":
      refuseWhole(name, head, isWhole);
      return { format, separation: lines, above: "" };
    case "lines":
      return { format, separation: lines, above: "" };
    case "labelTab":
      return { format, separation: { ...lines, delimiter: "\t", firstOnly: true, returns: true }, above: "" };
    case "tsv": {
      const delimiter = asked ?? "\t";
      const quoting = quotesPairUp(head, delimiter, isWhole);
      return { format, separation: { ...lines, delimiter, quoting, looseQuotes: true, returns: true }, above: "" };
    }
    case "csv": {
      const above = named?.line ?? "";
      const delimiter = asked ?? named?.delimiter ?? delimiterOf(head, isWhole)?.delimiter ?? ",";
      return { format, separation: { ...lines, delimiter, quoting: true, returns: true }, above };
    }
  }
}

const isDelimiter = (asked: string): boolean => /^[\t\x20-\x7e]$/.test(asked) && asked !== '"';

function formatOf(name: string, head: string, isWhole: boolean): TextTableFormat {
  if (separatorOf(head)) return "csv";
  const extension = /\.([^.]*)$/.exec(name.replace(/\.gz$/i, ""))?.[1]?.toLowerCase() ?? "";
  if (["jsonl", "ndjson", "json"].includes(extension)) return "jsonl";
  refuseMarked(name, head, extension);
  if (extension === "csv") return "csv";
  if (extension === "tsv" || extension === "tab") return "tsv";
  if (startsAsJson(head)) return "jsonl";
  if (labelComesFirst(head)) return "labelTab";
  const found = delimiterOf(head, isWhole);
  if (!found?.isTable) return "lines";
  return found.delimiter === "\t" ? "tsv" : "csv";
}

/** Lines of white space left out. */
function sampleLines(head: string): string[] {
  const lines = head.split(/\r\n|\n|\r/).filter((line) => line.trim() !== "");
  return lines.slice(0, LINES);
}

/** Such lines are labelled, and their labels are no cells. */
function refuseMarked(name: string, head: string, extension: string): void {
  const lines = sampleLines(head);
  const areAll = (mark: RegExp): boolean => lines.length > 0 && lines.every((line) => mark.test(line));
  const isTable = ["csv", "tsv", "tab"].includes(extension);
  const isFasttext = areAll(/(^|\s)__label__/) && head.trimStart().startsWith("__label__");
  const isTrec = !isTable && areAll(/^[A-Z]{2,8}:[A-Za-z]+ \s*\S/);
  if (!isFasttext && !isTrec) return;
  const form = isFasttext ? "fastText writes it (__label__x)" : "TREC's questions have it (LABEL:sublabel)";
  const reason = `expected a table or texts, but each line begins with a label as ${form}; take the labels off, or name the format lines to have them read as a part of the texts`;
  throw fileError("invalidFile", name, reason);
}

/** Whether it starts with an object, or with an array of something that a row can be. `[urgent] where is it` does not. */
function startsAsJson(head: string): boolean {
  return /^\s*(\{|\[\s*[{["\]])/.test(head);
}

/** JSON can be read row by row only where each has a line of its own. */
function refuseWhole(name: string, head: string, isWhole: boolean): void {
  const lines = sampleLines(head);
  const [first = "", second] = lines;
  const isLine = (line: string): boolean => line.trimStart().startsWith("{");
  // A line that is cut off at the end of the sample says nothing.
  const isPretty = isLine(first) && !isObject(first) && second !== undefined && !isLine(second);
  if (isLine(first) && !isPretty) return;
  if (lines.length === 0 && !isWhole) return;
  const found = first.trimStart().startsWith("[") ? "a list" : isPretty ? "one value over several lines" : "other text";
  const reason = `expected a JSON object on each line, such as {"text": "..."}, found ${found}; a list of objects is written so by: jq -c '.[]' ${name}`;
  throw fileError("invalidFile", name, reason);
}

function isObject(line: string): boolean {
  try {
    return typeof JSON.parse(line) === "object";
  } catch {
    return false;
  }
}

/** Whether each line is a label, a tab and a text. */
function labelComesFirst(head: string): boolean {
  const lines = sampleLines(head);
  const labels = new Set<string>();
  const texts = new Set<string>();
  const tabs: number[] = [];
  let labelChars = 0;
  let textChars = 0;
  for (const line of lines) {
    const at = line.indexOf("\t");
    if (at < 0) return false;
    tabs.push(line.split("\t").length - 1);
    labelChars += [...line.slice(0, at)].length;
    textChars += [...line.slice(at + 1)].length;
    labels.add(line.slice(0, at));
    texts.add(line.slice(at + 1));
  }
  const [fewest, most] = [Math.min(...tabs), Math.max(...tabs)];
  if (lines.length === 0 || (fewest === most && fewest > 1)) return false;
  if (namesBoth((lines[0] ?? "").split("\t"))) return false;
  return labels.size < texts.size || (labels.size === texts.size && labelChars < textChars);
}

/**
 * The delimiter: the first whose first record has the usual names of both columns, else the first that gives every record the same
 * number of columns, else the one that gives the first record the most, which alone is no sign of a table.
 */
function delimiterOf(head: string, isWhole: boolean): { delimiter: string; isTable: boolean } | undefined {
  const samples = CANDIDATES.map((delimiter) => {
    const separation = { delimiter, quoting: true, looseQuotes: false, firstOnly: false, returns: true };
    const records = firstRecords(head, separation, isWhole, SAMPLE).map(({ fields }) => fields);
    return { delimiter, records: records.filter((fields) => !isBlank(fields)) };
  });
  const named = samples.find(({ records: [first = []] }) => namesBoth(first));
  const even = samples.find(({ records }) => {
    const width = records[0]?.length ?? 0;
    return width > 1 && records.every(({ length }) => length === width);
  });
  const sure = named ?? even;
  if (sure) return { delimiter: sure.delimiter, isTable: true };
  const widths = samples.map(({ records }) => records[0]?.length ?? 0);
  const widest = samples[widths.indexOf(Math.max(...widths))];
  return widest && { delimiter: widest.delimiter, isTable: false };
}

/** A line of white space, which is no record to a person. */
export const isBlank = (fields: readonly string[]): boolean => fields.length === 1 && fields[0]?.trim() === "";

/** The delimiter that a first line `sep=;` names, as Excel reads and some programs write it; perhaps filled up to the table's width. */
function separatorOf(head: string): { delimiter: string; line: string } | undefined {
  const line = /^[^\n]*\n?/.exec(head)?.[0] ?? "";
  const bare = line.replace(/\r?\n$/, "").replace(/^"(.*?)"*$/, "$1");
  const [, delimiter, rest = ""] = /^sep=([^0-9a-z])(.*)$/i.exec(bare) ?? [];
  if (delimiter === undefined || delimiter.charCodeAt(0) > 127) return undefined;
  return [...rest].every((char) => char === delimiter) ? { delimiter, line } : undefined;
}
