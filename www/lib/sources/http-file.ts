/**
 * One file on a web server: its size, and verified ranges of its bytes.
 * Servers without ranges are read once, whole, into a Blob, which the browser may keep on disk.
 */
import { fileError, messageOf, WebtuneError } from "../errors.js";
import { delay } from "../worker/queue.js";

/** A file of a model: read in ranges, so that large weights never sit in memory whole. */
export interface SourceFile {
  /** Path inside the model folder, `model.safetensors` or `1_Pooling/config.json`. */
  path: string;
  size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Times that a broken transfer is taken up again. */
const RETRIES = 3;
const FIRST_DELAY_MS = 250;
/** Enough to tell an HTML page from JSON and from the header of safetensors. */
const PROBE_BYTES = 16;

/** Called as bytes come in: `loaded` of `total` bytes of that file. */
export type OnBytes = (file: string, loaded: number, total: number) => void;

export interface Address {
  url: string;
  headers?: Record<string, string>;
}

/** What a server said of a file that it doesn't give. */
export interface Absent {
  absent: true;
  status: number;
  detail: string;
}

/** One file, read in ranges. */
export class HttpFile implements SourceFile {
  #whole: Promise<Blob> | undefined;
  #loaded = 0;

  /**
   * @param address Asked for at each read, since addresses may expire.
   * @param whole The body, where the server already sent it.
   */
  constructor(
    readonly path: string,
    readonly size: number,
    private readonly address: () => Address | Promise<Address>,
    private readonly onBytes: OnBytes,
    whole?: Blob,
  ) {
    if (whole) this.#whole = Promise.resolve(whole);
  }

  /**
   * @throws WebtuneError `readFailed` naming file, address, and bytes expected and found.
   */
  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw failed(this.path, `bytes ${offset} to ${offset + length} were asked for, but it has ${this.size}`);
    }
    if (length === 0) return new Uint8Array(0);
    if (this.#whole) return this.#slice(await this.#whole, offset, length);
    const target = new Uint8Array(length);
    let got = 0;
    let from = "";
    const transfer = async (): Promise<Blob | undefined> => {
      const address = await this.address();
      from = shown(address.url);
      const last = offset + length - 1;
      const response = await request(this.path, address, { Range: `bytes=${offset + got}-${last}` });
      if (response.status === 200) {
        if (this.#whole) await response.body?.cancel();
        else this.#whole = this.#takeWhole(address, response);
        return this.#whole;
      }
      const range = parseRange(response);
      if (range && range.start !== offset + got) {
        throw failed(this.path, `${from} was asked for byte ${offset + got} and sent byte ${range.start}`);
      }
      await pour(response, (chunk) => {
        if (got + chunk.length > length)
          throw failed(this.path, `${from} sent more than the ${length} bytes asked for`);
        target.set(chunk, got);
        got += chunk.length;
        this.#count(chunk.length);
      });
      if (got < length) throw new Error("the connection ended early");
      return undefined;
    };
    const whole = await persist(transfer, (reason) =>
      failed(this.path, `got ${got} of the ${length} bytes from byte ${offset}${from && ` of ${from}`}: ${reason}`),
    );
    return whole ? this.#slice(whole, offset, length) : target;
  }

  async #takeWhole(address: Address, response: Response): Promise<Blob> {
    try {
      return await downloadWhole(this.path, address, this.onBytes, response);
    } catch (error) {
      this.#whole = undefined;
      throw error;
    }
  }

  async #slice(whole: Blob, offset: number, length: number): Promise<Uint8Array> {
    if (whole.size !== this.size) {
      throw failed(this.path, `expected ${this.size} bytes, the server sent ${whole.size}`);
    }
    return readBlob(this.path, whole, offset, length);
  }

  #count(bytes: number): void {
    // Ranges may be read twice; a file is never more than whole.
    this.#loaded = Math.min(this.size, this.#loaded + bytes);
    this.onBytes(this.path, this.#loaded, this.size);
  }
}

/**
 * Asks whether a file exists and how long it is. An HTML page in place of a model file counts as absent:
 * development servers answer so for every address they don't know.
 */
export async function probe(path: string, address: Address, onBytes: OnBytes): Promise<HttpFile | Absent> {
  const where = shown(address.url);
  const look = async (): Promise<HttpFile | Absent> => {
    const response = await fetchOrExplain(address, { Range: `bytes=0-${PROBE_BYTES - 1}` });
    if (response.status === 416) {
      await response.body?.cancel();
      return new HttpFile(path, 0, () => address, onBytes, new Blob([]));
    }
    if (!response.ok) {
      await response.body?.cancel();
      if (isPassing(response.status)) throw new Error(`the server answered ${response.status}`);
      return { absent: true, status: response.status, detail: `${where} answered ${response.status}` };
    }
    const page: Absent = { absent: true, status: 404, detail: `${where} answered with an HTML page` };
    if (/^text\/html/i.test(response.headers.get("content-type") ?? "")) {
      await response.body?.cancel();
      return page;
    }
    if (response.status === 206) {
      const start = new Uint8Array(await response.arrayBuffer());
      if (isHtml(start)) return page;
      const total = parseRange(response)?.total;
      if (total !== undefined) return new HttpFile(path, total, () => address, onBytes);
    }
    // No ranges, or a size that the server hides from other origins.
    const whole = await downloadWhole(path, address, onBytes, response.status === 200 ? response : undefined);
    if (isHtml(new Uint8Array(await whole.slice(0, PROBE_BYTES).arrayBuffer()))) return page;
    return new HttpFile(path, whole.size, () => address, onBytes, whole);
  };
  return persist(look, (reason) => failed(path, `${where} could not be read: ${reason}`));
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

/** Retries network failures; a `WebtuneError` is final. */
export async function persist<T>(job: () => Promise<T>, giveUp: (reason: string) => WebtuneError): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await job();
    } catch (error) {
      if (error instanceof WebtuneError) throw error;
      if (attempt === RETRIES) throw giveUp(`${messageOf(error)}, after ${RETRIES} more attempts`);
    }
    await delay(FIRST_DELAY_MS * 2 ** attempt);
  }
}

/** The body from its first byte to its last; a cut transfer starts again, since the server knows no ranges. */
async function downloadWhole(path: string, address: Address, onBytes: OnBytes, first?: Response): Promise<Blob> {
  let response = first;
  let got = 0;
  let expected = "an unknown number of";
  const transfer = async (): Promise<Blob> => {
    response ??= await request(path, address, {});
    // Other origins hide this header, and compression makes it the size on the wire: good for progress only.
    const total = Number(response.headers.get("content-length") ?? 0);
    if (total > 0) expected = String(total);
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    got = 0;
    const taken = response;
    response = undefined;
    await pour(taken, (chunk) => {
      chunks.push(chunk);
      got += chunk.length;
      onBytes(path, got, Math.max(total, got));
    });
    return new Blob(chunks);
  };
  return persist(transfer, (reason) =>
    failed(path, `got ${got} of ${expected} bytes of ${shown(address.url)}: ${reason}`),
  );
}

/** A response with 200 or 206; other answers are final unless they are known to pass. */
async function request(path: string, address: Address, headers: Record<string, string>): Promise<Response> {
  const response = await fetchOrExplain(address, headers);
  if (response.status === 200 || response.status === 206) return response;
  await response.body?.cancel();
  if (isPassing(response.status)) throw new Error(`the server answered ${response.status}`);
  const code = response.status === 404 || response.status === 410 ? "missingFile" : "readFailed";
  throw fileError(code, path, `${shown(address.url)} answered ${response.status}`);
}

async function fetchOrExplain(address: Address, headers: Record<string, string>): Promise<Response> {
  try {
    return await fetch(address.url, { headers: { ...address.headers, ...headers } });
  } catch (error) {
    throw new Error(`the server can't be reached, or doesn't allow this page to read it (${messageOf(error)})`);
  }
}

async function pour(response: Response, take: (chunk: Uint8Array<ArrayBuffer>) => void): Promise<void> {
  if (!response.body) return;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      take(value);
    }
  } catch (error) {
    // The transfer may have failed already; the first error is the one to tell.
    await reader.cancel().catch(() => undefined);
    throw error;
  }
}

function parseRange(response: Response): { start: number; total: number | undefined } | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
  if (!match) return undefined;
  return { start: Number(match[1]), total: match[2] === "*" ? undefined : Number(match[2]) };
}

/** Too many requests, timeouts and server faults are worth another try. */
function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

function isHtml(start: Uint8Array): boolean {
  const text = new TextDecoder("latin1").decode(start).trimStart().toLowerCase();
  return text.startsWith("<!doctype") || text.startsWith("<html") || text.startsWith("<!--");
}

/** Without the query, which may carry a signature. */
export function shown(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

function failed(path: string, reason: string): WebtuneError {
  return fileError("readFailed", path, reason);
}
