/**
 * From the records of a file to rows with a text, or with the reason why there is none.
 */
import { messageOf } from "../errors.js";

/** A row of a file to be labelled. It is a text, or a pair of them, as `classify` takes it. */
export interface TableRow {
  /** Without blanks around it; undefined where the row cannot be read. */
  text: string | undefined;
  /** The second text of a pair. */
  textPair?: string | undefined;
  /** Counts from 1 as a spreadsheet does: the header and blank lines count, and a record over several lines is one row. */
  row: number;
  /** The line on which it begins, from 1, as an editor shows it. */
  line: number;
  /** Why it cannot be read. It is written back as it was. */
  problem: string | undefined;
  /** Its cells; of a JSON object none. */
  cells: readonly string[];
  /** As in the file, without the end of its line. */
  raw: string;
  /** @internal */
  ending: string;
  /** Blank lines above it. @internal */
  above: string;
  /** Bytes of the file up to its end, about. */
  position: number;
}

/** The texts of a row, or why it has none. */
export interface Found {
  text: string | undefined;
  textPair?: string | undefined;
  problem: string | undefined;
}

/** Where the texts of a row are. */
export interface Columns {
  names: readonly string[];
  text: number;
  pair: number | undefined;
}

/** The texts in a row of cells. @param delimiter For a person. */
export function inCells(
  cells: readonly string[],
  { names, text, pair }: Columns,
  delimiter: string | undefined,
): Found {
  const expected = names.length;
  if (cells.length !== expected) {
    const columns = expected === 1 ? "1 column" : `${expected} columns`;
    const separator = SEPARATORS[delimiter ?? ""] ?? `"${delimiter}"`;
    const problem = `expected ${columns} as in the first row, found ${cells.length}; columns are separated by ${separator}, and a text that contains one needs double quotes around it`;
    return { text: undefined, problem };
  }
  const cell = (column: number): string => (cells[column] ?? "").trim();
  return { text: cell(text), ...(pair === undefined ? {} : { textPair: cell(pair) }), problem: undefined };
}

const SEPARATORS: Readonly<Record<string, string>> = {
  ",": "a comma",
  ";": "a semicolon",
  "\t": "a tab",
  "|": "a pipe",
};

/** The texts in a line of JSON. @param added Members that will be written beside those of the line. */
export function inJson(line: string, { names, text, pair }: Columns, added: readonly string[]): Found {
  try {
    const object = objectOf(line);
    const taken = added.find((name) => Object.hasOwn(object, name));
    if (taken !== undefined) {
      const problem = `it has a member "${taken}", unlike the rows above, in whose place the answer would be written`;
      return { text: undefined, problem };
    }
    const value = (column: number): string => plain(object, names[column] ?? "");
    return { text: value(text), ...(pair === undefined ? {} : { textPair: value(pair) }), problem: undefined };
  } catch (error) {
    return { text: undefined, problem: messageOf(error) };
  }
}

/** @throws Error for what is no object. */
export function objectOf(line: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    // Python's json and pandas write NaN and infinities, which JSON does not have.
    const mended = line.replace(/"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g, (found) =>
      found.startsWith('"') ? found : "null",
    );
    if (mended === line) throw new Error(`expected one whole JSON object on the line (${messageOf(error)})`);
    value = JSON.parse(mended);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Error(`expected a JSON object, found ${kindOf(value)}`);
}

/** The text under a key. @throws Error where there is none. */
function plain(object: Record<string, unknown>, key: string): string {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  switch (typeof value) {
    case "string":
      return value.trim();
    case "number":
    case "boolean":
      return String(value);
    default:
      // A missing value, as an empty cell of a table is.
      if (value === null) return "";
      if (value !== undefined) throw new Error(`${key}: expected a string, found ${kindOf(value)}`);
      throw new Error(`the key "${key}" is missing; the keys found are: ${Object.keys(object).join(", ")}`);
  }
}

const kindOf = (value: unknown): string =>
  value === null
    ? "null"
    : Array.isArray(value)
      ? "a list"
      : typeof value === "object"
        ? "an object"
        : `a ${typeof value}`;
