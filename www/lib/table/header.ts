/**
 * Whether a table's first row names its columns, and what they are called: as the engine's reader of examples has it (`src/data/header.rs`).
 */
import { isAmong, LABEL_NAMES, namesBoth, TEXT_NAMES } from "./known-columns.js";

/** Below as many rows, few values say nothing. */
const FEWEST_ROWS = 4;
const NUMBER = /^[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?|nan)$/i;

/**
 * Whether the first record names the columns: it has a column asked for, the usual names of both columns, one usual name that no
 * row below has as a value, or words that look unlike data.
 *
 * @param records Cells of the first rows, each as wide as the first.
 */
export function hasHeader(records: readonly (readonly string[])[], asked: readonly string[]): boolean {
  const [first, ...below] = records;
  if (!first) return false;
  const names = first.map((name) => name.trim());
  if (asked.some((name) => names.includes(name.trim())) || namesBoth(names)) return true;
  const recurs = (column: number): boolean => below.some((row) => row[column]?.trim() === names[column]);
  const isKnown = (name: string): boolean => isAmong(name, TEXT_NAMES) || isAmong(name, LABEL_NAMES);
  if (names.some((name, column) => isKnown(name) && !recurs(column))) return true;
  return looksUnlikeData(names, below, recurs);
}

/** Short words above a column of numbers, or above a column of few values that they are not among. */
function looksUnlikeData(
  names: readonly string[],
  below: readonly (readonly string[])[],
  recurs: (column: number) => boolean,
): boolean {
  const isName = (name: string): boolean =>
    [...name].length <= 30 && name.split(/\s+/).length <= 2 && !/[.?!]$/.test(name) && !NUMBER.test(name);
  const given = names.filter((name) => name !== "");
  const different = new Set(given).size;
  const enough = different > 1 || (different === 1 && given.length < names.length);
  if (below.length === 0 || !enough || !given.every(isName)) return false;
  return names.some((_, column) => {
    const values = below.map((row) => (row[column] ?? "").trim());
    const few = below.length >= FEWEST_ROWS && new Set(values).size * 2 <= below.length;
    return values.every((value) => NUMBER.test(value)) || (few && !recurs(column));
  });
}

/** The first row's names, made different if they repeat, or `Column 1` and so on. */
export function columnNames(first: readonly string[], header: boolean): string[] {
  const names: string[] = [];
  for (const [index, field] of first.entries()) {
    const own = field.trim();
    names.push(unlike(names, header && own !== "" ? own : `Column ${index + 1}`));
  }
  return names;
}

/** A name that is not among those taken: `NAME (2)` if `NAME` is. */
export function unlike(taken: readonly string[], name: string): string {
  for (let copy = 1; ; copy += 1) {
    const unique = copy === 1 ? name : `${name} (${copy})`;
    if (!taken.includes(unique)) return unique;
  }
}
