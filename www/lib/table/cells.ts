/**
 * From values to the cells and JSON members in which a file has them, so that a spreadsheet takes none of them for a formula.
 */
import type { Separation } from "./records.js";

/** What a spreadsheet begins a formula with (OWASP, "CSV Injection"), the wide forms of East Asian keyboards among it. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;
/** A number runs nothing, whatever its sign. */
const NUMBER = /^[+-]?\d+([.,]\d+)*(e[+-]?\d+)?\s*%?$/i;

/** Whether a spreadsheet that opens a table may take this cell for a formula and run it. */
export const isFormula = (cell: string): boolean => FORMULA.test(cell) && !NUMBER.test(cell);

/** The text with an apostrophe before it, by which spreadsheets know a text, if it would be run otherwise. */
export const harmless = (text: string): string => (isFormula(text) ? `'${text}` : text);

/** A value as a cell. Where quotes mean nothing a cell can hold neither the delimiter nor the end of a line: blanks stand in their place. */
export function cellOf(text: string, { delimiter = ",", quoting }: Pick<Separation, "delimiter" | "quoting">): string {
  if (!quoting) return text.replaceAll(delimiter, " ").replace(/[\r\n]+/g, " ");
  const isPlain = !text.includes(delimiter) && !/["\r\n]|^[\s']|\s$/.test(text);
  return isPlain ? text : `"${text.replaceAll('"', '""')}"`;
}

/** A line with an object, and these members after its own. */
export function withMembers(line: string, members: Readonly<Record<string, unknown>>): string {
  const end = line.lastIndexOf("}");
  const before = line.slice(0, end).trimEnd();
  const added = Object.entries(members).map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  const separator = before.trim() === "{" ? "" : ", ";
  return before + separator + added.join(", ") + line.slice(end);
}
