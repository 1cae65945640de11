/**
 * One file on a web server: its size, and ranges of its bytes, all of one version.
 * Where the file is kept it is read whole once; otherwise in ranges, or whole into a Blob from a server without ranges.
 */
import { fileError, messageOf, type WebtuneError } from "../errors.js";
import { BlobSink, checked, download, type Remote, type Sink } from "./download.js";
import {
  type Address,
  ask,
  difference,
  drop,
  isPassing,
  joined,
  limitOf,
  type Net,
  type Patience,
  persist,
  pour,
  rangeOf,
  request,
  shown,
  tooLarge,
  type Version,
  versionOf,
} from "./network.js";

/** A file of a model: read in ranges, so that large weights never sit in memory whole. */
export interface SourceFile {
  /** Path inside the model folder, `model.safetensors` or `1_Pooling/config.json`. */
  path: string;
  size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Keeps files on this computer; what is kept of them already is not fetched again. */
export interface Keeper {
  /** The file, checked, after `fetch` has brought what lacks and said of which version it is; undefined where it can't be kept. */
  obtain(path: string, fetch: (sink: Sink) => Promise<Version>): Promise<Blob | undefined>;
}

/** Enough to tell an HTML page from JSON and from the header of safetensors. */
const PROBE_BYTES = 16;

/** What a server said of a file that it doesn't give. */
export interface Absent {
  absent: true;
  status: number;
  detail: string;
}

/** What is known of a file before it is read. */
export interface Facts {
  version: Version & { size: number };
  /** The body, where the server already sent it. */
  whole?: Blob | undefined;
  keeper?: Keeper | undefined;
}

/** One file, read in ranges. */
export class HttpFile implements SourceFile {
  readonly size: number;
  readonly #remote: Remote;
  readonly #net: Net;
  readonly #keeper: Keeper | undefined;
  #whole: Promise<Blob> | undefined;
  #kept: Promise<Blob | undefined> | undefined;
  #loaded = 0;

  constructor(
    readonly path: string,
    address: Remote["address"],
    net: Net,
    { version, whole, keeper }: Facts,
  ) {
    this.size = version.size;
    this.#remote = { path, address, version };
    this.#net = net;
    this.#keeper = keeper;
    if (whole) this.#whole = Promise.resolve(whole);
  }

  get version(): Version & { size: number } {
    return { ...this.#remote.version, size: this.size };
  }

  /**
   * @throws WebtuneError `readFailed` naming file, address, and bytes expected and found; `invalidFile` for a file that is too large,
   * or not what the hub says it is.
   */
  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw failed(this.path, `bytes ${offset} to ${offset + length} were asked for, but it has ${this.size}`);
    }
    if (this.size > limitOf(this.path)) throw tooLarge(this.path, `found ${this.size} bytes`);
    if (length === 0) return new Uint8Array(0);
    const kept = await this.#take();
    if (kept) {
      try {
        return this.#told(await readBlob(this.path, kept, offset, length));
      } catch {
        // Removed from the store meanwhile, or the store fails: the server still has it.
        this.#kept = Promise.resolve(undefined);
      }
    }
    if (this.#whole) return this.#slice(await this.#whole, offset, length);
    return this.#readRange(offset, length);
  }

  #take(): Promise<Blob | undefined> {
    this.#kept ??= this.#keep().catch((error: unknown) => {
      // a failure is not kept
      this.#kept = undefined;
      throw error;
    });
    return this.#kept;
  }

  async #keep(): Promise<Blob | undefined> {
    return this.#keeper?.obtain(this.path, async (sink) => {
      if (this.#whole) await fill(sink, await this.#whole);
      else this.#remote.version = await download(this.#remote, sink, this.#net);
      return this.#remote.version;
    });
  }

  async #readRange(offset: number, length: number): Promise<Uint8Array> {
    const target = new Uint8Array(length);
    const last = offset + length - 1;
    let got = 0;
    let from = "";
    const transfer = async (again: boolean): Promise<Blob | undefined> => {
      const address = await this.#remote.address(again);
      from = shown(address.url);
      const response = await request(this.path, address, { Range: `bytes=${offset + got}-${last}` }, this.#net);
      const range = rangeOf(response);
      // Where the server knows no ranges, or hides which one of how many bytes it sends, only the whole is certain.
      if (response.status === 200 || range?.total === undefined) {
        if (this.#whole) await drop(response);
        else this.#whole = this.#fetchWhole(response);
        return this.#whole;
      }
      this.#remote.version = await checked(this.path, this.#remote.version, versionOf(response), response);
      if (range.start !== offset + got) {
        await drop(response);
        throw failed(this.path, `${from} was asked for byte ${offset + got} and sent byte ${range.start}`);
      }
      await pour(response, this.#net.patience.stallMs, (chunk) => {
        if (offset + got + chunk.length > Math.min(range.end, last) + 1)
          throw failed(this.path, `${from} sent more than the ${length} bytes asked for`);
        target.set(chunk, got);
        got += chunk.length;
        this.#count(chunk.length);
      });
      if (got < length) throw new Error("the connection ended early");
      return undefined;
    };
    const whole = await persist(
      this.#net.patience,
      transfer,
      (reason) =>
        failed(this.path, `got ${got} of the ${length} bytes from byte ${offset}${from && ` of ${from}`}: ${reason}`),
      () => got,
    );
    return whole ? this.#slice(whole, offset, length) : target;
  }

  async #fetchWhole(response: Response): Promise<Blob> {
    const sink = new BlobSink();
    const isWhole = response.status === 200;
    if (!isWhole) await drop(response);
    try {
      this.#remote.version = await download(this.#remote, sink, this.#net, isWhole ? response : undefined);
    } catch (error) {
      this.#whole = undefined;
      throw error;
    }
    return sink.blob();
  }

  async #slice(whole: Blob, offset: number, length: number): Promise<Uint8Array> {
    if (whole.size !== this.size) {
      throw failed(this.path, `expected ${this.size} bytes, the server sent ${whole.size}`);
    }
    return readBlob(this.path, whole, offset, length);
  }

  #told(bytes: Uint8Array): Uint8Array {
    this.#count(bytes.length);
    return bytes;
  }

  #count(bytes: number): void {
    // Ranges may be read twice; a file is never more than whole.
    this.#loaded = Math.min(this.size, this.#loaded + bytes);
    this.#net.onBytes(this.path, this.#loaded, this.size);
  }
}

async function fill(sink: Sink, whole: Blob): Promise<void> {
  if (sink.length === whole.size) return;
  await sink.restart();
  const reader = whole.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    await sink.write(value);
  }
}

export interface ProbeOptions {
  /** For the question alone; what is read later has the net's own. */
  patience?: Patience;
  keeper?: Keeper | undefined;
  /** The version that is kept: its bytes are not read again. */
  kept?: (Version & { size: number }) | undefined;
}

/**
 * Asks whether a file exists and how long it is. An HTML page in place of a model file counts as absent:
 * development servers answer so for every address they don't know.
 */
export async function probe(
  path: string,
  address: Address,
  net: Net,
  { patience = net.patience, keeper, kept }: ProbeOptions = {},
): Promise<HttpFile | Absent> {
  const where = shown(address.url);
  const asking = { ...net, patience };
  const page: Absent = { absent: true, status: 404, detail: `${where} answered with an HTML page` };
  const found = (version: Version & { size: number }, whole?: Blob): HttpFile =>
    new HttpFile(path, () => address, net, { version, whole, keeper });

  const look = async (): Promise<HttpFile | Absent> => {
    const response = await ask(address, { Range: `bytes=0-${PROBE_BYTES - 1}` }, asking);
    const said = versionOf(response);
    if (response.status === 416 && response.headers.get("content-range") === "bytes */0") {
      await drop(response);
      return found({ ...said, size: 0 }, new Blob([]));
    }
    if (!response.ok) {
      await drop(response);
      if (isPassing(response.status)) throw new Error(`the server answered ${response.status}`);
      return { absent: true, status: response.status, detail: `${where} answered ${response.status}` };
    }
    if (/^text\/html/i.test(response.headers.get("content-type") ?? "")) {
      await drop(response);
      return page;
    }
    if (response.status === 206) {
      if ((rangeOf(response)?.start ?? 0) !== 0) {
        await drop(response);
        throw failed(path, `${where} was asked for its first bytes and sent others`);
      }
      const start = await startOf(response, patience.stallMs);
      if (isHtml(start)) return page;
      const { size } = said;
      if (size !== undefined) return found({ ...said, size });
    }
    // No ranges, or a size that the server hides from other origins.
    const whole = response.status === 200 ? response : await request(path, address, { Range: "bytes=0-" }, asking);
    const version = joined(said, versionOf(whole));
    if (kept && isUnchanged(kept, version, address)) {
      await drop(whole);
      return found({ ...version, size: kept.size });
    }
    const sink = new BlobSink();
    const read = await download({ path, address: () => address, version: said }, sink, net, whole);
    const blob = sink.blob();
    if (isHtml(new Uint8Array(await blob.slice(0, PROBE_BYTES).arrayBuffer()))) return page;
    return found({ ...read, size: blob.size }, blob);
  };
  return persist(patience, look, (reason) => failed(path, `${where} could not be read: ${reason}`));
}

/**
 * Whether a kept file is still the server's. Without ETag and date the size decides; but not of an address with a query, which may
 * choose between files.
 */
export function isUnchanged(kept: Version & { size: number }, found: Version, { url }: Address): boolean {
  if (difference(kept, found) !== undefined) return false;
  if (kept.etag !== undefined && found.etag !== undefined) return true;
  if (kept.modified !== undefined && found.modified !== undefined) return true;
  return found.size !== undefined && new URL(url).search === "";
}

async function startOf(response: Response, stallMs: number): Promise<Uint8Array> {
  const start: number[] = [];
  await pour(response, stallMs, (chunk) => {
    start.push(...chunk.subarray(0, PROBE_BYTES));
    if (start.length > PROBE_BYTES || chunk.length > PROBE_BYTES)
      throw new Error("the server sent more than was asked for");
  });
  return Uint8Array.from(start);
}

/** Reads a slice; a file that changed or went away on disk is named. */
export async function readBlob(path: string, blob: Blob, offset: number, length: number): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
  } catch (error) {
    throw failed(path, `it could not be read, perhaps because it changed on disk (${messageOf(error)})`);
  }
  if (bytes.length !== length) {
    throw failed(path, `expected ${length} bytes from byte ${offset}, got ${bytes.length}`);
  }
  return bytes;
}

function isHtml(start: Uint8Array): boolean {
  const text = new TextDecoder("latin1").decode(start).trimStart().toLowerCase();
  return text.startsWith("<!doctype") || text.startsWith("<html") || text.startsWith("<!--");
}

function failed(path: string, reason: string): WebtuneError {
  return fileError("readFailed", path, reason);
}
