/**
 * Enters: a file of examples (CSV, TSV, JSONL or label<TAB>text) or its text. Leaves: its rows, counted and checked.
 */
import { messageOf } from "./errors.js";
import { type ParsedTable, type ParseOptions, WebtuneError } from "./protocol.js";
import { sharedLink } from "./shared.js";

/**
 * Reads a table of examples in a worker shared by all calls.
 *
 * @param name The file's name, for error messages and the format; default the `File`'s own, or `pasted text`.
 * @throws WebtuneError `invalidData` naming file and row, `invalidOption` for a column that isn't there, `readFailed`.
 */
export async function parseExamples(
  input: Blob | string | Uint8Array,
  name?: string,
  options: ParseOptions = {},
): Promise<ParsedTable> {
  const title = name ?? (input instanceof Blob && "name" in input ? String(input.name) : "pasted text");
  const bytes = await bytesOf(input, title);
  return sharedLink().call("parse", [title, bytes, options]).answer;
}

export async function bytesOf(input: Blob | string | Uint8Array, name: string): Promise<Uint8Array> {
  if (typeof input === "string") return new TextEncoder().encode(input);
  if (!(input instanceof Blob)) return input;
  try {
    return new Uint8Array(await input.arrayBuffer());
  } catch (error) {
    throw new WebtuneError("readFailed", `${name}: it could not be read (${messageOf(error)})`);
  }
}
