/**
 * From a file's bytes to its text, piece by piece: unpacked if it is gzip, in the encoding that its byte order mark or the caller names.
 */
import { fileError, messageOf, WebtuneError } from "../errors.js";
import type { TextEncoding } from "../types/engine.js";
import { notText } from "./not-text.js";

/** Bytes of a file as they come. */
export type ByteSource = Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** Enough to tell a file's kind by. */
const START = 64;
const MARK = "\uFEFF";

/** The text of a file, to be read once. */
export class Characters {
  readonly encoding: TextEncoding;
  /** Whether the file begins with a byte order mark, which is not in the text. */
  marked = false;
  readonly #name: string;
  readonly #bytes: Peeked;
  readonly #read: { bytes: number };

  private constructor(name: string, encoding: TextEncoding, bytes: Peeked, read: { bytes: number }) {
    this.#name = name;
    this.encoding = encoding;
    this.#bytes = bytes;
    this.#read = read;
  }

  /** Bytes of the file that were read so far, packed ones as they are. */
  get bytesRead(): number {
    return this.#read.bytes;
  }

  /**
   * @param encoding Default: by a byte order mark, else UTF-8.
   * @throws WebtuneError `invalidFile` for what is no text, `readFailed`.
   */
  static async open(source: ByteSource, name: string, encoding: TextEncoding | undefined): Promise<Characters> {
    const read = { bytes: 0 };
    const counted = async function* () {
      for await (const bytes of bytesOf(source, name)) {
        read.bytes += bytes.length;
        yield bytes;
      }
    };
    let begun = await peeked(counted(), START);
    if (begun.start[0] === 0x1f && begun.start[1] === 0x8b) begun = await peeked(unpacked(begun.all, name), START);
    const { start, close } = begun;
    const found = encoding ?? encodingOf(start);
    const binary = found === "utf-16le" || found === "utf-16be" ? undefined : notText(start);
    if (binary !== undefined) {
      await close();
      throw fileError("invalidFile", name, `expected text, but ${binary}`);
    }
    return new Characters(name, found, begun, read);
  }

  /** @throws WebtuneError `invalidFile`, naming the line, for bytes that are not of the encoding; `readFailed`. */
  async *pieces(): AsyncGenerator<string, void, undefined> {
    const decoder = new TextDecoder(this.encoding, { fatal: true, ignoreBOM: true });
    let isFirst = true;
    let lines = 1;
    const decoded = (bytes: Uint8Array, stream: boolean): string => {
      try {
        return decoder.decode(bytes, { stream });
      } catch {
        throw this.#undecodable(bytes, lines);
      }
    };
    const checked = (text: string): string => {
      const zero = text.indexOf("\0");
      if (zero >= 0) {
        const line = lines + breaksIn(text.slice(0, zero));
        const reason = `expected text, but there is a zero byte on line ${line}, so this is a binary file or a damaged one`;
        throw fileError("invalidFile", this.#name, reason);
      }
      lines += breaksIn(text);
      return text;
    };
    for await (const bytes of this.#bytes.all) {
      let text = decoded(bytes, true);
      if (isFirst && text.length > 0) {
        this.marked = text.startsWith(MARK);
        if (this.marked) text = text.slice(MARK.length);
        isFirst = false;
      }
      if (text.length > 0) yield checked(text);
    }
    const rest = decoded(new Uint8Array(0), false);
    if (rest.length > 0) yield checked(rest);
  }

  /** Ends the reading of the file. */
  async close(): Promise<void> {
    await this.#bytes.close();
  }

  #undecodable(bytes: Uint8Array, lines: number): WebtuneError {
    const { encoding } = this;
    const replaced = new TextDecoder(encoding).decode(bytes);
    const line = lines + breaksIn(replaced.slice(0, Math.max(0, replaced.indexOf("\uFFFD"))));
    if (encoding !== "utf-8") {
      const reason = `expected ${encoding} text, but line ${line} holds bytes that are not; the file may be damaged or of another encoding`;
      return fileError("invalidFile", this.#name, reason);
    }
    const reason = `expected UTF-8 text, but line ${line} holds bytes that are not; save the file as UTF-8 and choose it again, or read it as Windows-1252 (encoding) if an older Windows program wrote it`;
    return new WebtuneError("invalidFile", `${this.#name}: ${reason}`, {
      file: this.#name,
      remedy: "readAsWindows1252",
    });
  }
}

function encodingOf([first, second]: Uint8Array): TextEncoding {
  if (first === 0xff && second === 0xfe) return "utf-16le";
  if (first === 0xfe && second === 0xff) return "utf-16be";
  return "utf-8";
}

function breaksIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}

async function* bytesOf(source: ByteSource, name: string): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    if (source instanceof Blob) yield* streamed(source.stream());
    else if (source instanceof ReadableStream) yield* streamed(source);
    else yield* source;
  } catch (error) {
    throw error instanceof WebtuneError
      ? error
      : fileError("readFailed", name, `it could not be read (${messageOf(error)})`);
  }
}

/** Not every browser reads a stream with `for await`. */
async function* streamed(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // After an error there is nothing left to cancel, and the error is the one to hear of.
    await reader.cancel().catch(() => undefined);
  }
}

interface Peeked {
  start: Uint8Array;
  /** The start among them. */
  all: AsyncGenerator<Uint8Array, void, undefined>;
  /** Ends the source, whether or not anything of `all` was asked for. */
  close(): Promise<void>;
}

/** The first bytes, and all of them. */
async function peeked(bytes: AsyncGenerator<Uint8Array, void, undefined>, most: number): Promise<Peeked> {
  const taken: Uint8Array[] = [];
  let length = 0;
  while (length < most) {
    const { done, value } = await bytes.next();
    if (done) break;
    taken.push(value);
    length += value.length;
  }
  const start = new Uint8Array(length);
  let filled = 0;
  for (const piece of taken) {
    start.set(piece, filled);
    filled += piece.length;
  }
  const all = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    yield start;
    yield* bytes;
  };
  const close = async (): Promise<void> => {
    await bytes.return();
  };
  return { start, all: all(), close };
}

async function* unpacked(
  bytes: AsyncGenerator<Uint8Array, void, undefined>,
  name: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const packed = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { done, value } = await bytes.next();
      if (done) controller.close();
      else controller.enqueue(new Uint8Array(value));
    },
    async cancel() {
      await bytes.return();
    },
  });
  try {
    yield* streamed(packed.pipeThrough(new DecompressionStream("gzip")));
  } catch (error) {
    if (error instanceof WebtuneError) throw error;
    const reason = `it begins as a gzip file, but cannot be unpacked (${messageOf(error)}); it may be cut off or damaged`;
    throw fileError("invalidFile", name, reason);
  }
}
