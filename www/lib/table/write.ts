/**
 * From a table's rows with their answers to the bytes of a file: all columns as they were, in their order, and two new ones beside them.
 */
import type { Classified } from "../classify.js";
import { optionError } from "../errors.js";
import type { Label } from "../types/engine.js";
import { cellOf, harmless, isFormula, withMembers } from "./cells.js";
import type { TableRow } from "./rows.js";
import type { TextTable, TextTableReading } from "./table.js";

/** How a file is written. */
export interface WriteOptions {
  /**
   * What becomes of old cells that a spreadsheet would take for a formula: `keep` (the default) leaves every byte of the old columns as
   * it was; `quote` puts an apostrophe before such cells. New cells are always written so that nothing is run.
   */
  formulas?: "keep" | "quote" | undefined;
}

/** Bytes that go out together. */
const PIECE = 1 << 16;
/** Between the labels of a text that has several, as files of examples are read. */
const SEVERAL = "|";
const MARK = "\uFEFF";

/**
 * Writes rows as they come. Rows that cannot be read are written as they were, with nothing beside them. A file of lines becomes CSV, as a text may
 * hold anything. The result is UTF-8, with a byte order mark where a spreadsheet would need one to see that: if the file had one, or was in
 * another encoding.
 *
 * An error of `answers` comes out after all that was answered before it.
 *
 * @param answers What `classify` makes of `table.rows()`, in this order.
 * @throws WebtuneError `invalidOption`, and what `answers` throws.
 */
export async function* writeTable(
  table: TextTable,
  answers: AsyncIterable<Classified<TableRow>>,
  { formulas = "keep" }: WriteOptions = {},
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  if (formulas !== "keep" && formulas !== "quote") {
    throw optionError("formulas", `expected keep or quote, got ${JSON.stringify(formulas)}`);
  }
  const encoder = new TextEncoder();
  const writer = new Writer(table, formulas === "quote");
  let text = "";
  let failure: { error: unknown } | undefined;
  try {
    for await (const answer of answers) {
      text += writer.row(answer);
      if (text.length < PIECE) continue;
      yield encoder.encode(text);
      text = "";
    }
  } catch (error) {
    failure = { error };
  }
  text += failure ? "" : writer.end();
  if (text !== "") yield encoder.encode(text);
  if (failure) throw failure.error;
}

/** A name for what is written: `NAME-labelled` with the ending of the file, which a file of lines, and a packed one, leaves behind. */
export function writtenName({ name, format }: Pick<TextTableReading, "name" | "format">): string {
  const [, stem = name, own] = /^(.+?)(?:\.([A-Za-z0-9]+))?$/.exec(name.replace(/\.gz$/i, "")) ?? [];
  const usual = { csv: "csv", tsv: "tsv", labelTab: "tsv", jsonl: "jsonl", lines: "csv" }[format];
  return `${stem}-labelled.${format === "lines" ? usual : (own ?? usual)}`;
}

class Writer {
  readonly #table: TextTable;
  readonly #quoteAll: boolean;
  /** How cells are written. */
  readonly #cells: { delimiter: string; quoting: boolean };
  #isBegun = false;

  constructor(table: TextTable, quoteAll: boolean) {
    this.#table = table;
    this.#quoteAll = quoteAll;
    const { delimiter = "," } = table.layout.separation;
    this.#cells = { delimiter, quoting: table.layout.separation.quoting || table.reading.format === "lines" };
  }

  row(answer: Classified<TableRow>): string {
    const { row } = answer;
    // The header is known once there is a row.
    const begin = this.#begin();
    return begin + row.above + this.#line(answer) + row.ending;
  }

  end(): string {
    return this.#begin() + this.#table.edges.below;
  }

  #begin(): string {
    if (this.#isBegun) return "";
    this.#isBegun = true;
    const { edges, reading, marked } = this.#table;
    const mark = marked || reading.encoding !== "utf-8" ? MARK : "";
    if (reading.format === "lines") {
      const [text = ""] = reading.header ? reading.columns : ["text"];
      return `${mark}${edges.above}${this.#joined([text, ...reading.added])}${edges.top?.ending || "\n"}`;
    }
    if (!edges.top) return mark + edges.above;
    return mark + edges.above + this.#beside(edges.top.raw, reading.added) + edges.top.ending;
  }

  #line({ row, label, confidence }: Classified<TableRow>): string {
    const { format, added } = this.#table.reading;
    if (format === "jsonl") {
      if (row.problem !== undefined) return row.raw;
      return withMembers(row.raw, { [added[0]]: label ?? null, [added[1]]: rounded(confidence) ?? null });
    }
    const answer = [labelText(label), confidenceText(confidence)];
    if (format === "lines") return this.#joined([...this.#old([row.raw]), ...answer]);
    if (row.problem !== undefined) return row.raw;
    const hasFormulas = this.#quoteAll && row.cells.some(isFormula);
    return this.#beside(hasFormulas ? this.#joined(this.#old(row.cells)) : row.raw, answer);
  }

  #old(cells: readonly string[]): string[] {
    return this.#quoteAll ? cells.map(harmless) : [...cells];
  }

  #beside(raw: string, cells: readonly string[]): string {
    return raw + this.#cells.delimiter + this.#joined(cells.map(harmless));
  }

  #joined(cells: readonly string[]): string {
    return cells.map((cell) => cellOf(cell, this.#cells)).join(this.#cells.delimiter);
  }
}

const labelText = (label: Label | undefined): string =>
  typeof label === "string" ? label : (label ?? []).join(SEVERAL);

const confidenceText = (confidence: number | readonly number[] | undefined): string =>
  confidence === undefined
    ? ""
    : [confidence]
        .flat()
        .map((one) => one.toFixed(4))
        .join(SEVERAL);

/** As many places as in a table. */
function rounded(confidence: number | readonly number[] | undefined): number | number[] | undefined {
  const round = (value: number): number => Number(value.toFixed(4));
  return typeof confidence === "number" ? round(confidence) : confidence?.map(round);
}
