/**
 * Reads a file from its first byte to its last into a place that may hold a part of it already.
 */
import { fileError, type WebtuneError } from "../errors.js";
import {
  type Address,
  changed,
  difference,
  drop,
  joined,
  lengthOf,
  limitOf,
  type Net,
  persist,
  pour,
  rangeOf,
  request,
  shown,
  tooLarge,
  type Version,
  versionOf,
} from "./network.js";

/** Where a file's bytes go, in their order. */
export interface Sink {
  /** Bytes that it holds. */
  readonly length: number;
  write(chunk: Uint8Array<ArrayBuffer>): void | Promise<void>;
  /** Lets go of everything: the bytes come again from the first one. */
  restart(): void | Promise<void>;
}

/** Bytes until one piece is handed to the browser, which may put it on disk. */
const PIECE_BYTES = 8 * 2 ** 20;

/** Holds a file as a Blob. */
export class BlobSink implements Sink {
  #pieces: Blob[] = [];
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #waiting = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  write(chunk: Uint8Array<ArrayBuffer>): void {
    this.#chunks.push(chunk);
    this.#waiting += chunk.length;
    this.#length += chunk.length;
    if (this.#waiting >= PIECE_BYTES) this.#settle();
  }

  restart(): void {
    this.#pieces = [];
    this.#chunks = [];
    this.#waiting = 0;
    this.#length = 0;
  }

  blob(): Blob {
    this.#settle();
    return new Blob(this.#pieces);
  }

  #settle(): void {
    if (this.#waiting === 0) return;
    this.#pieces.push(new Blob(this.#chunks));
    this.#chunks = [];
    this.#waiting = 0;
  }
}

/** A file on a server. */
export interface Remote {
  path: string;
  /** Asked for at each request, since addresses may expire; `fresh` after one that failed. */
  address: (fresh: boolean) => Address | Promise<Address>;
  /** What is known of it; its size may not be. */
  version: Version;
}

/**
 * Fills `sink`. A transfer that was cut goes on where it ended if the server knows ranges, and starts again if not.
 *
 * @param first An answer whose body begins with the first byte.
 * @returns What is known of the version then.
 * @throws WebtuneError `readFailed`, also where the file turns out to be another one; `invalidFile` where it is too large.
 */
export async function download(remote: Remote, sink: Sink, net: Net, first?: Response): Promise<Version> {
  const { path } = remote;
  const limit = limitOf(path);
  let { version } = remote;
  let from = "";
  let ready = first;
  const transfer = async (again: boolean): Promise<void> => {
    if (version.size !== undefined && version.size > limit) throw tooLarge(path, `found ${version.size} bytes`);
    if (version.size !== undefined && sink.length === version.size) return;
    const address = await remote.address(again);
    from = shown(address.url);
    // A range even for the whole: bodies of ranges are not compressed, so that their length is the file's.
    const response = ready ?? (await request(path, address, { Range: `bytes=${sink.length}-` }, net));
    ready = undefined;
    const range = response.status === 206 ? rangeOf(response) : undefined;
    const found = versionOf(response);
    // What was asked for is the rest of the file, so that a part ends where the file does.
    found.size ??= range ? range.end + 1 : sink.length === 0 ? lengthOf(response) : undefined;
    version = await checked(path, version, found, response);
    await place(path, sink, response, from);
    const expected = version.size;
    const end = Math.min(limit, expected ?? limit, range ? range.end + 1 : limit);
    await pour(response, net.patience.stallMs, async (chunk) => {
      if (sink.length + chunk.length > end) throw tooMuch(path, expected, from);
      await sink.write(chunk);
      net.onBytes(path, sink.length, expected ?? sink.length);
    });
    if (expected === undefined && sink.length === 0) throw new Error("the server sent nothing");
    if (sink.length < (expected ?? 0)) throw new Error("the connection ended early");
  };
  const giveUp = (reason: string): WebtuneError => {
    const expected = version.size ?? "an unknown number of";
    return fileError("readFailed", path, `got ${sink.length} of ${expected} bytes${from && ` of ${from}`}: ${reason}`);
  };
  await persist(net.patience, transfer, giveUp, () => sink.length);
  return version;
}

/** The version with what an answer adds, if it is of the same one. */
export async function checked(path: string, known: Version, found: Version, response: Response): Promise<Version> {
  const reason = difference(known, found);
  if (reason === undefined) return joined(known, found);
  await drop(response);
  throw changed(path, reason);
}

/** Sees to it that the body goes on where the sink ends. */
async function place(path: string, sink: Sink, response: Response, from: string): Promise<void> {
  const range = response.status === 206 ? rangeOf(response) : undefined;
  const start = response.status === 200 || sink.length === 0 ? (range?.start ?? 0) : range?.start;
  if (start === sink.length) return;
  if (start === 0) {
    await sink.restart();
    return;
  }
  const asked = sink.length;
  await drop(response);
  if (start !== undefined) {
    throw fileError("readFailed", path, `${from} was asked for byte ${asked} and sent byte ${start}`);
  }
  // Where a part begins is hidden from this page: only the whole is certain.
  await sink.restart();
  throw new Error(`${from} doesn't say which bytes it sends`);
}

function tooMuch(path: string, size: number | undefined, from: string): WebtuneError {
  if (size === undefined || size > limitOf(path)) return tooLarge(path, `and ${from} sends more`);
  return fileError("readFailed", path, `${from} sent more than the ${size} bytes that it has`);
}
