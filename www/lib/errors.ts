/**
 * The one error class of the package, and how whatever was thrown, here or in a worker, becomes one.
 */
import { here } from "./machine.js";
import { ERROR_CODES, type ErrorCode, type ErrorReport, type Remedy } from "./types/engine.js";

/** Every failure that reaches a caller of the package. What is known of it is set: see `ErrorReport`. */
export class WebtuneError extends Error {
  override readonly name = "WebtuneError";
  /** The option that is wrong, as the caller spells it; a path such as `method.r` where it is inside another. */
  readonly option: string | undefined;
  /** The file that is wrong, missing or could not be read. */
  readonly file: string | undefined;
  /** The row of `file`, from 1, a table's header included. */
  readonly row: number | undefined;
  /** The tensor that is wrong or missing, by its name in the checkpoint. */
  readonly tensor: string | undefined;
  /** Bytes that the work would take. */
  readonly needed: number | undefined;
  /** Bytes that it may take. */
  readonly limit: number | undefined;
  /** An option that helps, if one is known. */
  readonly remedy: Remedy | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    fields: Omit<ErrorReport, "code" | "message"> = {},
  ) {
    super(message);
    this.option = fields.option;
    this.file = fields.file;
    this.row = fields.row;
    this.tensor = fields.tensor;
    this.needed = fields.needed;
    this.limit = fields.limit;
    this.remedy = fields.remedy;
  }
}

/** The text of anything that can be thrown. */
export function messageOf(thrown: unknown): string {
  if (typeof thrown === "string") return thrown;
  if (typeof thrown === "object" && thrown !== null && "message" in thrown) {
    const { message } = thrown;
    if (typeof message === "string" && message !== "") return message;
  }
  return String(thrown);
}

/** Errors of an engine that is of no use any more: it panicked, or its graphics card is lost. */
const FATAL: readonly unknown[] = ["crashed", "deviceFailed"] satisfies ErrorCode[];

/**
 * Whether the engine is of no use any more: after a panic it may be locked, after a trap or an exhausted stack its memory can't be
 * trusted, and a graphics card that is lost stays lost to it.
 */
export function isFatal(thrown: unknown): boolean {
  // Errors of the package itself are none of the engine's.
  if (thrown instanceof WebtuneError) return false;
  if (isReport(thrown) && (FATAL.includes(thrown.code) || ("fatal" in thrown && thrown.fatal === true))) return true;
  // Browsers have no other sign for it than their words.
  if (thrown instanceof RangeError && /call stack/i.test(thrown.message)) return true;
  return typeof WebAssembly !== "undefined" && thrown instanceof WebAssembly.RuntimeError;
}

function isReport(thrown: unknown): thrown is ErrorReport {
  if (typeof thrown !== "object" || thrown === null || !("code" in thrown)) return false;
  return (ERROR_CODES as readonly unknown[]).includes(thrown.code);
}

/**
 * Errors of the engine keep their code and fields; a failed allocation becomes `outOfMemory`, anything unknown `crashed`.
 */
export function toWebtuneError(thrown: unknown): WebtuneError {
  if (thrown instanceof WebtuneError) return thrown;
  const message = messageOf(thrown);
  if (isReport(thrown)) return new WebtuneError(thrown.code, message, thrown);
  // Browsers have no other sign for it than their words.
  if (thrown instanceof RangeError && /memory|allocat|array length/i.test(message)) {
    return new WebtuneError("outOfMemory", `${here().name} refused to give more memory: ${message}`);
  }
  if (thrown instanceof Error && thrown.name === "AbortError") return new WebtuneError("aborted", message);
  return new WebtuneError("crashed", message);
}

/** For `postMessage`, which would strip an error's own fields. The type lets none be forgotten. */
export function toWire(thrown: unknown): { [Field in keyof Required<ErrorReport>]: ErrorReport[Field] } {
  const { code, message, option, file, row, tensor, needed, limit, remedy } = toWebtuneError(thrown);
  return { code, message, option, file, row, tensor, needed, limit, remedy };
}

/** The reverse of `toWire`. */
export function fromWire(error: ErrorReport): WebtuneError {
  return new WebtuneError(error.code, error.message, error);
}

/** An option that is out of its range or of the wrong kind. */
export function optionError(option: string, reason: string): WebtuneError {
  return new WebtuneError("invalidOption", `${option}: ${reason}`, { option });
}

/** A file that is wrong, missing or could not be read. */
export function fileError(
  code: "invalidFile" | "missingFile" | "readFailed",
  file: string,
  reason: string,
): WebtuneError {
  return new WebtuneError(code, `${file}: ${reason}`, { file });
}

/** The error for an `AbortSignal` that fired. */
export function abortedError(what: string): WebtuneError {
  return new WebtuneError("aborted", `${what} was aborted`);
}
