/**
 * Enters: whatever was thrown, here or on the other side of a worker. Leaves: a `WebtuneError` with a stable `code`.
 */
import { type ErrorCode, WebtuneError } from "./protocol.js";

/** The form in which an error crosses `postMessage`, which would strip an error's own fields. */
export interface WireError {
  code: ErrorCode;
  message: string;
}

// A record and not a list, so that the compiler notices a code that is missing here.
const CODES: Record<ErrorCode, true> = {
  invalidFile: true,
  missingFile: true,
  missingTensor: true,
  wrongShape: true,
  wrongDtype: true,
  notFinite: true,
  unsupportedModel: true,
  tokenizerMismatch: true,
  invalidData: true,
  invalidOption: true,
  outOfMemory: true,
  noWebgpu: true,
  readFailed: true,
  invalidState: true,
  deviceFailed: true,
  aborted: true,
  crashed: true,
};

/** The text of anything that can be thrown. */
export function messageOf(thrown: unknown): string {
  if (typeof thrown === "string") return thrown;
  if (typeof thrown === "object" && thrown !== null && "message" in thrown) {
    const { message } = thrown;
    if (typeof message === "string" && message !== "") return message;
  }
  return String(thrown);
}

/** Whether WebAssembly stopped for good: its memory can't be trusted after a trap or an exhausted stack. */
export function isTrap(thrown: unknown): boolean {
  if (thrown instanceof RangeError && /call stack/i.test(thrown.message)) return true;
  return typeof WebAssembly !== "undefined" && thrown instanceof WebAssembly.RuntimeError;
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(CODES, code);
}

/** Errors of the engine keep their code; a failed allocation becomes `outOfMemory`, anything unknown `crashed`. */
export function toWebtuneError(thrown: unknown): WebtuneError {
  if (thrown instanceof WebtuneError) return thrown;
  const message = messageOf(thrown);
  const code = typeof thrown === "object" && thrown !== null && "code" in thrown ? thrown.code : undefined;
  if (isErrorCode(code)) return new WebtuneError(code, message);
  if (thrown instanceof RangeError && /memory|allocat|array length/i.test(message)) {
    return new WebtuneError("outOfMemory", `the browser refused to give more memory: ${message}`);
  }
  if (thrown instanceof Error && thrown.name === "AbortError") return new WebtuneError("aborted", message);
  return new WebtuneError("crashed", message);
}

/** For `postMessage`. */
export function toWire(thrown: unknown): WireError {
  const { code, message } = toWebtuneError(thrown);
  return { code, message };
}

/** The reverse of `toWire`. */
export function fromWire(error: WireError): WebtuneError {
  return new WebtuneError(error.code, error.message);
}

/** The error for an `AbortSignal` that fired. */
export function abortedError(what: string): WebtuneError {
  return new WebtuneError("aborted", `${what} was aborted`);
}
