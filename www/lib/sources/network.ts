/**
 * Requests to a web server that may be slow, cut off, or give another version a moment later: time limits, further attempts,
 * what an answer says of a file's version.
 */
import { fileError, messageOf, WebtuneError } from "../errors.js";
import { delay } from "../worker/queue.js";

/** Called as bytes come in: `loaded` of `total` bytes of that file. */
export type OnBytes = (file: string, loaded: number, total: number) => void;

export interface Address {
  url: string;
  headers?: Record<string, string>;
}

/** How long a server is waited for. */
export interface Patience {
  /** Times that a broken transfer is taken up again. */
  retries: number;
  firstDelayMs: number;
  /** Without a byte for so long, a transfer counts as broken. */
  stallMs: number;
}

export const PATIENCE: Patience = { retries: 3, firstDelayMs: 250, stallMs: 30_000 };
/** Where the question is only whether a kept file is still the newest. */
export const BRIEFLY: Patience = { retries: 0, firstDelayMs: 0, stallMs: 10_000 };

/** What every request of a load has in common. */
export interface Net {
  onBytes: OnBytes;
  patience: Patience;
  /** `no-store` where the files are kept by this package: the browser's own cache would hold them a second time. */
  cache: RequestCache;
}

/** What an answer says of a file's version; what the server hides, or doesn't know, is undefined. */
export interface Version {
  size: number | undefined;
  etag: string | undefined;
  modified: string | undefined;
}

/** A failure that another attempt can't mend, and that is no `WebtuneError` yet. */
export class Final extends Error {}

/** Bytes after which a connection that breaks again is a new misfortune, and not the same one. */
const PROGRESS_BYTES = 4 * 2 ** 20;

/**
 * Retries network failures; a `WebtuneError` is final. `job` learns whether it was tried before.
 *
 * @param bytes How many are there already: attempts are counted from the last one that brought many.
 */
export async function persist<T>(
  patience: Patience,
  job: (again: boolean) => Promise<T>,
  giveUp: (reason: string) => WebtuneError,
  bytes: () => number = () => 0,
): Promise<T> {
  const { retries } = patience;
  let before = bytes();
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await job(attempt > 0);
    } catch (error) {
      if (error instanceof WebtuneError || error instanceof Final) throw error;
      if (bytes() - before >= PROGRESS_BYTES) {
        before = bytes();
        attempt = 0;
      }
      if (attempt === retries) {
        throw giveUp(retries === 0 ? messageOf(error) : `${messageOf(error)}, after ${retries} more attempts`);
      }
    }
    await delay(patience.firstDelayMs * 2 ** attempt);
  }
}

/** A response with 200 or 206; other answers are final unless they are known to pass. */
export async function request(
  path: string,
  address: Address,
  headers: Record<string, string>,
  net: Net,
): Promise<Response> {
  const response = await ask(address, headers, net);
  if (response.status === 200 || response.status === 206) return response;
  await drop(response);
  if (isPassing(response.status)) throw new Error(`the server answered ${response.status}`);
  if (response.status === 416) throw changed(path, `${shown(address.url)} has fewer bytes than it said before`);
  const code = response.status === 404 || response.status === 410 ? "missingFile" : "readFailed";
  throw fileError(code, path, `${shown(address.url)} answered ${response.status}`);
}

/** Any answer, as soon as its head is there. */
export async function ask(address: Address, headers: Record<string, string>, net: Net): Promise<Response> {
  const init = { headers: { ...address.headers, ...headers }, cache: net.cache };
  try {
    return await fetchInTime(address.url, init, net.patience.stallMs);
  } catch (error) {
    if (error instanceof Stalled) throw error;
    throw new Error(`the server can't be reached, or doesn't allow this page to read it (${messageOf(error)})`);
  }
}

/** `fetch` that fails where no answer comes in time. */
export async function fetchInTime(
  input: RequestInfo | URL,
  init: RequestInit | undefined,
  stallMs: number,
): Promise<Response> {
  const control = new AbortController();
  // No server needs to know which page asks.
  const request = fetch(input, { ...init, referrerPolicy: "no-referrer", signal: control.signal });
  return inTime(request, stallMs, () => control.abort());
}

class Stalled extends Error {}

async function inTime<T>(work: Promise<T>, ms: number, onLate: () => void): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      // First, because a transfer that is ended may look as if it were complete.
      reject(new Stalled(`the server sent nothing for ${ms / 1000} s`));
      onLate();
    }, ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Hands on the body piece by piece. */
export async function pour(
  response: Response,
  stallMs: number,
  take: (chunk: Uint8Array<ArrayBuffer>) => void | Promise<void>,
): Promise<void> {
  if (!response.body) return;
  const reader = response.body.getReader();
  // The transfer may have failed already; the first error is the one to tell.
  const cancel = (): void => void reader.cancel().catch(() => undefined);
  try {
    for (;;) {
      const { done, value } = await inTime(reader.read(), stallMs, cancel);
      if (done) return;
      await take(value);
    }
  } catch (error) {
    cancel();
    throw error;
  }
}

/** Ends a transfer whose body is of no use. */
export async function drop(response: Response): Promise<void> {
  // A body that failed by itself is as good as dropped.
  await response.body?.cancel().catch(() => undefined);
}

/** First and last byte of a part, and the size of the whole; undefined where the server hides it from other origins. */
export function rangeOf(response: Response): { start: number; end: number; total: number | undefined } | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(response.headers.get("content-range") ?? "");
  if (!match) return undefined;
  const [start, end] = [Number(match[1]), Number(match[2])];
  const total = match[3] === "*" ? undefined : Number(match[3]);
  // A part that can't be is as good as none told.
  return start > end || (total !== undefined && end >= total) ? undefined : { start, end, total };
}

/** Bytes of the body. */
export function lengthOf({ headers }: Response): number | undefined {
  const length = /^\d{1,15}$/.exec(headers.get("content-length") ?? "");
  // Of a compressed body it is the size on the wire.
  return length && !headers.get("content-encoding") ? Number(length[0]) : undefined;
}

export function versionOf(response: Response): Version {
  const { headers, status } = response;
  return {
    size: status === 206 ? rangeOf(response)?.total : lengthOf(response),
    // A server that compresses other answers calls the same version weak there.
    etag: headers.get("etag")?.replace(/^W\//, "") ?? undefined,
    modified: headers.get("last-modified") ?? undefined,
  };
}

/** What shows that the two are not of one file, in words. */
export function difference(known: Version, found: Version): string | undefined {
  for (const [field, name] of FIELDS) {
    const [before, now] = [known[field], found[field]];
    if (before !== undefined && now !== undefined && before !== now) return `${name} was ${before} and is ${now}`;
  }
  return undefined;
}

const FIELDS = [
  ["size", "its size"],
  ["etag", "its ETag"],
  ["modified", "its date"],
] as const;

/** What is known after another answer of the same version. */
export function joined(known: Version, found: Version): Version {
  return {
    size: known.size ?? found.size,
    etag: known.etag ?? found.etag,
    modified: known.modified ?? found.modified,
  };
}

export function changed(path: string, reason: string): WebtuneError {
  return fileError("readFailed", path, `it changed on the server while it was read (${reason}); load the model again`);
}

/** Too many requests, timeouts and server faults are worth another try. */
export function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** Without the query, which may carry a signature, and without a name and password. */
export function shown(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

const MB = 1e6;
/** By the end of a path; the first that fits counts. The largest files of published models have about half of it. */
const LIMITS: readonly (readonly [string, number])[] = [
  ["tokenizer_config.json", 10 * MB],
  ["tokenizer.json", 64 * MB],
  [".index.json", 10 * MB],
  [".json", 1 * MB],
  [".jinja", 1 * MB],
  [".txt", 64 * MB],
];

/** Most bytes that are read of a file of this name, which holds where the server says no size, or no true one. */
export function limitOf(path: string): number {
  return LIMITS.find(([end]) => path.endsWith(end))?.[1] ?? 16_000 * MB;
}

export function tooLarge(path: string, found: string): WebtuneError {
  const most = `${Math.round(limitOf(path) / MB)} MB`;
  return fileError("invalidFile", path, `expected at most ${most}, which no model needs more than, ${found}`);
}
