/** One label or several as words, and back from what a person writes. */
import type { Label } from "webtune";

/** Stands between several labels where they are edited. */
const MARK = " | ";

/** Without blanks around them, and each once. */
export const namesOf = (label: Label): string[] =>
  typeof label === "string" ? [label.trim()] : [...new Set(label.map((name) => name.trim()))];

/** Equal for equal labels, in whatever order they are. */
export const keyOf = (label: Label): string => JSON.stringify(namesOf(label).sort());

export const isSame = (one: Label, other: Label): boolean => keyOf(one) === keyOf(other);

/** For a sentence or a cell. */
export const wordsOf = (label: Label): string => (label.length === 0 ? "no label" : namesOf(label).join(", "));

/** What an input shows. */
export const writtenOf = (label: Label): string => (typeof label === "string" ? label : label.join(MARK));

/** The label that was written in place of another: a list stays one. Blanks at its end stay while more is typed. */
export function labelFrom(written: string, before: Label): Label {
  if (typeof before === "string") return written;
  return written.trim() === "" ? [] : written.split(MARK.trim()).map((name) => name.trimStart());
}
