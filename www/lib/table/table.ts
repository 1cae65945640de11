/**
 * A table of texts to be labelled: CSV, TSV, JSON lines or a text on each line, read row by row and written back with the answers beside.
 */
import { fileError, optionError, WebtuneError } from "../errors.js";
import type { TextEncoding } from "../types/engine.js";
import { type ByteSource, Characters } from "./characters.js";
import { type ColumnOptions, textColumns } from "./columns.js";
import { columnNames, hasHeader, unlike } from "./header.js";
import { type FileRecord, firstRecords, recordsOf } from "./records.js";
import { type Columns, type Found, inCells, inJson, objectOf, type TableRow } from "./rows.js";
import { isBlank, type Layout, layoutOf, type SniffOptions, type TextTableFormat } from "./sniff.js";

/** What a caller may settle; everything else is found by looking at the file. */
export interface TableOptions extends SniffOptions, ColumnOptions {
  /** The file's name, for errors and the format; default the `File`'s own. */
  name?: string | undefined;
  /** Whether the first row names the columns. Default: found by looking. */
  header?: boolean | undefined;
  /** Default: by a byte order mark, else UTF-8. */
  encoding?: TextEncoding | undefined;
}

/** How a file is read. */
export interface TextTableReading {
  name: string;
  format: TextTableFormat;
  encoding: TextEncoding;
  /** Between cells, in CSV and TSV. */
  delimiter: string | undefined;
  header: boolean;
  /** Names of the columns, or `Column 1` and so on. */
  columns: readonly string[];
  textColumn: string;
  /** The column of the second text, where rows are read as pairs. */
  textPairColumn: string | undefined;
  /** The first row's cells, by column. */
  firstRow: readonly string[];
  /** What the columns of answers are called. */
  added: readonly [label: string, confidence: string];
}

/** Characters of a file from which its layout is found. */
const HEAD = 1 << 18;
/** What the columns of answers are called where no column is called so. */
const ADDED = ["predicted_label", "confidence"] as const;

/** A file that is open, to be read once. */
export class TextTable {
  readonly reading: TextTableReading;
  /** @internal */
  readonly layout: Layout;
  /** The header, or undefined; once rows are read also the blank lines at the end. @internal */
  readonly edges: { top: FileRecord | undefined; above: string; below: string };
  readonly #characters: Characters;
  readonly #text: AsyncGenerator<string, void, undefined>;
  #isRead = false;

  private constructor(
    reading: TextTableReading,
    layout: Layout,
    characters: Characters,
    text: AsyncGenerator<string, void, undefined>,
  ) {
    this.reading = reading;
    this.layout = layout;
    this.edges = { top: undefined, above: layout.above, below: "" };
    this.#characters = characters;
    this.#text = text;
  }

  /** @internal */
  static async open(source: ByteSource, options: TableOptions): Promise<TextTable> {
    const { name = ownName(source), encoding } = options;
    const characters = await Characters.open(source, name, encoding);
    const text = characters.pieces();
    try {
      let head = "";
      let isWhole = false;
      while (head.length < HEAD && !isWhole) {
        const { done, value } = await text.next();
        isWhole = done === true;
        head += value ?? "";
      }
      if (isWhole && head.trim() === "") {
        const reason = `${name}: the file is empty; expected rows with a text`;
        throw new WebtuneError("invalidData", reason, { file: name });
      }
      // A source may give more at once, and what is found must not hang on that.
      const start = head.slice(0, HEAD);
      isWhole &&= start.length === head.length;
      const layout = layoutOf(name, start, isWhole, options);
      const { length } = layout.above;
      const reading = readingOf(name, characters.encoding, layout, start.slice(length), isWhole, options);
      return new TextTable(reading, layout, characters, following(head.slice(length), text));
    } catch (error) {
      await characters.close();
      throw error;
    }
  }

  /** Whether the file begins with a byte order mark. */
  get marked(): boolean {
    return this.#characters.marked;
  }

  /**
   * The rows, in the order of the file; blank lines and the header are none. Leaving the loop closes the file.
   *
   * @throws WebtuneError `invalidFile` for bytes that are not of the encoding, `readFailed`, `invalidState` for a second reading.
   */
  async *rows(): AsyncGenerator<TableRow, void, undefined> {
    if (this.#isRead) throw new WebtuneError("invalidState", `${this.reading.name} was read already; open it again`);
    this.#isRead = true;
    const { reading, layout, edges } = this;
    const columns = placesOf(reading);
    let wantsHeader = reading.header && reading.format !== "jsonl";
    let above = "";
    let row = 1 + (layout.above === "" ? 0 : 1);
    let line = row;
    const characters = { taken: 0, given: 0 };
    try {
      for await (const record of recordsOf(measured(this.#text, characters), layout.separation)) {
        const { raw, ending, fields, lines } = record;
        characters.taken += raw.length + ending.length;
        if (isBlank(fields)) above += raw + ending;
        else if (wantsHeader) {
          edges.top = record;
          edges.above += above;
          above = "";
          wantsHeader = false;
        } else {
          const { text, textPair, problem } = this.#found(record, columns);
          const position = this.#characters.bytesRead * (characters.taken / characters.given);
          const cells = reading.format === "jsonl" ? [] : fields;
          yield { text, textPair, row, line, problem, cells, raw, ending, above, position };
          above = "";
        }
        row += 1;
        line += lines;
      }
      edges.below = above;
    } finally {
      await this.close();
    }
  }

  #found({ raw, fields, problem }: FileRecord, columns: Columns): Found {
    if (problem !== undefined) return { text: undefined, problem };
    if (this.reading.format === "jsonl") return inJson(raw, columns, this.reading.added);
    return inCells(fields, columns, this.reading.delimiter);
  }

  /** Ends the reading of the file. */
  async close(): Promise<void> {
    this.#isRead = true;
    await this.#characters.close();
  }
}

/**
 * Opens a file of texts, looks at its beginning and finds its columns. Nothing is held of it but the rows on their way, so that it may have
 * any size.
 *
 * @throws WebtuneError `invalidFile` for what is no text and for JSON that has no line for each row, `invalidData` for an empty file,
 * `invalidOption` for a column that is not there, `readFailed`.
 */
export function openTable(source: ByteSource, options: TableOptions = {}): Promise<TextTable> {
  return TextTable.open(source, options);
}

const ownName = (source: ByteSource): string =>
  source instanceof Blob && "name" in source ? String(source.name) : "the file";

const placesOf = ({ columns: names, textColumn, textPairColumn }: TextTableReading): Columns => ({
  names,
  text: names.indexOf(textColumn),
  pair: textPairColumn === undefined ? undefined : names.indexOf(textPairColumn),
});

function readingOf(
  name: string,
  encoding: TextEncoding,
  layout: Layout,
  head: string,
  isWhole: boolean,
  options: TableOptions,
): TextTableReading {
  const { format, separation } = layout;
  const records = firstRecords(head, separation, isWhole).filter(({ fields }) => !isBlank(fields));
  const common = { name, format, encoding };
  if (format === "jsonl") return jsonReading(common, records, options);
  const width = records[0]?.fields.length ?? 1;
  const rows = records.map(({ fields }) => fields).filter(({ length }) => length === width);
  const asked = [options.textColumn, options.textPairColumn].filter((column) => column !== undefined);
  const header = options.header ?? hasHeader(rows, asked);
  const columns = columnNames(rows[0] ?? [""], header);
  const below = rows.slice(header ? 1 : 0);
  if (below.length === 0 && isWhole) {
    const reason = `${name}: there are no rows below the header (${columns.join(", ")})`;
    throw new WebtuneError("invalidData", reason, { file: name });
  }
  return {
    ...common,
    delimiter: format === "csv" || format === "tsv" ? separation.delimiter : undefined,
    header,
    columns,
    ...named(columns, below, options),
    firstRow: below[0] ?? [],
  };
}

function jsonReading(
  common: Pick<TextTableReading, "name" | "format" | "encoding">,
  records: readonly FileRecord[],
  options: TableOptions,
): TextTableReading {
  if (options.header !== undefined) {
    throw optionError("header", `expected only with a table of columns, but ${common.name} is read as JSON`);
  }
  const objects = records.flatMap(({ raw }) => {
    try {
      return [objectOf(raw)];
    } catch {
      // It is reported with its row once the rows are read.
      return [];
    }
  });
  const isPlain = (value: unknown): boolean => ["string", "number", "boolean"].includes(typeof value);
  const keys = [...new Set(objects.flatMap((object) => Object.keys(object)))];
  const plain = keys.filter((key) => objects.some((object) => isPlain(object[key])));
  if (plain.length === 0) {
    const found = keys.length === 0 ? "" : `, found only lists and objects under ${keys.join(", ")}`;
    throw fileError("invalidFile", common.name, `expected JSON objects with a text, such as {"text": "..."}${found}`);
  }
  const sample = objects.map((object) => keys.map((key) => (isPlain(object[key]) ? String(object[key]) : undefined)));
  const columns = named(keys, sample, options);
  return {
    ...common,
    delimiter: undefined,
    header: true,
    columns: keys,
    ...columns,
    firstRow: sample[0]?.map(String) ?? [],
  };
}

/** The columns that are read, and those that will be written. */
function named(
  columns: readonly string[],
  sample: readonly (readonly (string | undefined)[])[],
  options: ColumnOptions,
): Pick<TextTableReading, "textColumn" | "textPairColumn" | "added"> {
  const { text, pair } = textColumns(columns, sample, options);
  const taken = columns.map((name) => name.toLowerCase());
  return {
    textColumn: columns[text] ?? "",
    textPairColumn: pair === undefined ? undefined : columns[pair],
    added: [unlike(taken, ADDED[0]), unlike(taken, ADDED[1])],
  };
}

async function* following(head: string, rest: AsyncGenerator<string, void, undefined>) {
  if (head !== "") yield head;
  yield* rest;
}

/** Counts what comes. */
async function* measured(pieces: AsyncIterable<string>, characters: { given: number }) {
  for await (const piece of pieces) {
    characters.given += piece.length;
    yield piece;
  }
}
