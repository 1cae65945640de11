/** Checks the rows of the table: which are empty, repeated or contradictory, and how many each label has. */
import type { Label } from "webtune";
import { keyOf, namesOf } from "./labels";

export interface Row {
  id: number;
  text: string;
  /** The second text, of rows that are pairs. */
  textPair?: string | undefined;
  /** A list where a text may have several. */
  label: Label;
}

/** Whether rows are pairs; then each needs its second text. */
export const arePairs = (rows: readonly Pick<Row, "textPair">[]): boolean =>
  rows.some(({ textPair }) => textPair !== undefined);

export type Mark = "empty" | "duplicate" | "conflict";

export interface Checked {
  /** By row id; a row without a mark is fine. */
  marks: Map<number, Mark>;
  /** Rows that training would use. */
  usable: Row[];
  /** Sorted by label. */
  labels: { label: string; count: number }[];
  /** Whether a text may have several labels: one list makes all labels lists. */
  several: boolean;
  empty: number;
  duplicates: number;
  conflicts: number;
}

/** As in `ParsedTable`: a row repeats or contradicts rows above it, and is used all the same. */
export function check(rows: readonly Row[]): Checked {
  const marks = new Map<number, Mark>();
  const seen = new Map<string, Set<string>>();
  const counts = new Map<string, number>();
  const usable: Row[] = [];
  const totals: Record<Mark, number> = { empty: 0, duplicate: 0, conflict: 0 };
  const put = (row: Row, mark: Mark): void => {
    marks.set(row.id, mark);
    totals[mark] += 1;
  };
  const pairs = arePairs(rows);
  for (const row of rows) {
    const pair = row.textPair?.trim() ?? "";
    const text = pairs ? JSON.stringify([row.text.trim(), pair]) : row.text.trim();
    const names = namesOf(row.label);
    if (row.text.trim() === "" || names.includes("") || (pairs && pair === "")) {
      put(row, "empty");
      continue;
    }
    usable.push(row);
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
    const label = keyOf(row.label);
    const before = seen.get(text);
    if (!before) {
      seen.set(text, new Set([label]));
      continue;
    }
    put(row, before.has(label) ? "duplicate" : "conflict");
    before.add(label);
  }
  const labels = [...counts]
    .map(([label, count]) => ({ label, count }))
    .sort((a, b) => (a.label < b.label ? -1 : a.label > b.label ? 1 : 0));
  const several = usable.some(({ label }) => typeof label !== "string");
  const { empty, duplicate, conflict } = totals;
  return { marks, usable, labels, several, empty, duplicates: duplicate, conflicts: conflict };
}
