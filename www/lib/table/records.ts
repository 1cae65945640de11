/**
 * From a text, piece by piece, to its records: each with the text that it was made from, so that a reader can write it back as it was.
 *
 * What a quote does is what the engine's reader of examples makes of it (the csv crate, which reads on where a quote is stray), save that a
 * quote which is never closed costs its own line and not the rest of the file.
 */

/** One record of a file, or a line that is none. */
export interface FileRecord {
  /** As in the file, without the end of its line. */
  raw: string;
  /** The end of its line: a line feed, a carriage return, both, or nothing at the end of the file. */
  ending: string;
  /** The cells. One that holds only blanks is a blank line. */
  fields: string[];
  /** Lines that it takes. */
  lines: number;
  /** Why it cannot be read. */
  problem?: string;
}

/** How the records of a file are separated. */
export interface Separation {
  /** One character between cells; undefined where a line is one cell. */
  delimiter: string | undefined;
  /** Whether double quotes enclose cells. */
  quoting: boolean;
  /** A quote that does not pair up is an ordinary character, as in much TSV. */
  looseQuotes: boolean;
  /** Only the first delimiter of a line counts. */
  firstOnly: boolean;
  /** Whether a carriage return alone ends a line. */
  returns: boolean;
}

/** Characters of a record after which a quote counts as never closed. */
const LONGEST = 1 << 20;

interface Taken {
  record: FileRecord;
  /** Where the next one begins. */
  next: number;
}

/** The records of a text, blank lines among them. */
export async function* recordsOf(
  pieces: AsyncIterable<string>,
  separation: Separation,
): AsyncGenerator<FileRecord, void, undefined> {
  let text = "";
  for await (const piece of pieces) {
    text += piece;
    let at = 0;
    for (;;) {
      const taken = take(text, at, separation, false);
      if (!taken) break;
      yield taken.record;
      at = taken.next;
    }
    text = text.slice(at);
  }
  for (let at = 0; at < text.length; ) {
    const { record, next } = take(text, at, separation, true) as Taken;
    yield record;
    at = next;
  }
}

/** The records that are whole in the beginning of a text, at most so many. @param isWhole Whether the text ends there. */
export function firstRecords(text: string, separation: Separation, isWhole: boolean, most = Infinity): FileRecord[] {
  const records: FileRecord[] = [];
  for (let at = 0; at < text.length && records.length < most; ) {
    const taken = take(text, at, separation, isWhole);
    if (!taken) break;
    records.push(taken.record);
    at = taken.next;
  }
  return records;
}

/** What quotes do in the beginning of a text that is read with quoting. */
export function quotesPairUp(text: string, delimiter: string, isWhole: boolean): boolean {
  const strict = { delimiter, quoting: true, looseQuotes: false, firstOnly: false, returns: true };
  for (let at = 0; at < text.length; ) {
    const found = quoted(text, at, strict, isWhole);
    if (found === "more") return true;
    if (found === "unclosed" || found.stray) return false;
    at = found.next;
  }
  return true;
}

/** The record that begins at a place; undefined if its end is not in the text yet. */
function take(text: string, from: number, separation: Separation, isLast: boolean): Taken | undefined {
  if (!separation.quoting) return plain(text, from, separation, isLast);
  const found = quoted(text, from, separation, isLast);
  if (found === "more") return undefined;
  if (found !== "unclosed" && !found.stray) return found;
  if (separation.looseQuotes) return plain(text, from, separation, isLast);
  if (found !== "unclosed" && found.record.lines === 1) return found;
  // A quote that is stray after line breaks, or never closed: the lines below are records of their own.
  const line = plain(text, from, { ...separation, delimiter: undefined }, isLast);
  if (!line) return undefined;
  const problem =
    "a double quote opens a cell here and is never closed; close it, or double the quotes that belong to the text";
  return { record: { ...line.record, problem }, next: line.next };
}

/** A line, in which quotes mean nothing. */
function plain(
  text: string,
  from: number,
  { delimiter, firstOnly, returns }: Separation,
  isLast: boolean,
): Taken | undefined {
  const feed = text.indexOf("\n", from);
  let end = feed < 0 ? text.length : feed;
  let ending = feed < 0 ? "" : "\n";
  // In the line alone: to look for it in all of the text at each line would take long.
  const back = returns ? text.slice(from, end).indexOf("\r") : -1;
  if (back >= 0 && from + back + 1 < end) {
    end = from + back;
    ending = "\r";
  } else if (feed > from && text[feed - 1] === "\r") {
    end = feed - 1;
    ending = "\r\n";
  } else if (feed < 0) {
    // A line feed may come in the next piece, perhaps after a carriage return at this one's end.
    if (!isLast) return undefined;
    if (back >= 0) {
      end = from + back;
      ending = "\r";
    }
  }
  const raw = text.slice(from, end);
  return { record: { raw, ending, fields: cells(raw, delimiter, firstOnly), lines: 1 }, next: end + ending.length };
}

function cells(line: string, delimiter: string | undefined, firstOnly: boolean): string[] {
  if (delimiter === undefined) return [line];
  if (!firstOnly) return line.split(delimiter);
  const at = line.indexOf(delimiter);
  return at < 0 ? [line] : [line.slice(0, at), line.slice(at + 1)];
}

/** A record in which quotes enclose cells. `stray`: a closing quote is followed by something other than the cell's end. */
function quoted(
  text: string,
  from: number,
  { delimiter = "" }: Separation,
  isLast: boolean,
): (Taken & { stray: boolean }) | "more" | "unclosed" {
  const fields: string[] = [];
  let at = from;
  let stray = false;
  for (;;) {
    const isEnclosed = text[at] === '"';
    const cell = isEnclosed ? enclosed(text, at) : { value: "", end: at };
    if (cell === undefined) return isLast || text.length - from > LONGEST ? "unclosed" : "more";
    at = cell.end;
    while (at < text.length && text[at] !== delimiter && text[at] !== "\n" && text[at] !== "\r") at += 1;
    // What is next may not be in the text yet: a second quote, a line feed after a carriage return.
    if (!isLast && (at === text.length || (text[at] === "\r" && at + 1 === text.length))) return "more";
    stray ||= isEnclosed && at > cell.end;
    fields.push(cell.value + text.slice(cell.end, at));
    if (at < text.length && text[at] === delimiter) {
      at += 1;
      continue;
    }
    const ending = at === text.length ? "" : text.startsWith("\r\n", at) ? "\r\n" : (text[at] as string);
    const raw = text.slice(from, at);
    return { record: { raw, ending, fields, lines: linesIn(raw) }, next: at + ending.length, stray };
  }
}

/** What the quote at a place encloses, and where that ends; undefined if it is not closed in this text. */
function enclosed(text: string, open: number): { value: string; end: number } | undefined {
  let value = "";
  for (let from = open + 1; ; ) {
    const close = text.indexOf('"', from);
    if (close < 0) return undefined;
    if (text[close + 1] !== '"') return { value: value + text.slice(from, close), end: close + 1 };
    value += text.slice(from, close + 1);
    from = close + 2;
  }
}

function linesIn(raw: string): number {
  return 1 + (raw.match(/\r\n|\n|\r/g)?.length ?? 0);
}
