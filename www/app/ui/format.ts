/** Numbers and errors in words for people. */
const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

export const count = (value: number): string => whole.format(value);

/** `1 row`, `2 rows`; `noun` in the singular. */
export const counted = (value: number, noun: string, plural = `${noun}s`): string =>
  `${count(value)} ${value === 1 ? noun : plural}`;

/** A share of 1 as `93.4%`. */
export const percent = (share: number, digits = 1): string =>
  Number.isFinite(share) ? `${(share * 100).toFixed(digits)}%` : "–";

/** A difference of two shares, in percentage points with its sign. */
export function points(difference: number, unit = " points"): string {
  const value = (difference * 100).toFixed(1);
  if (Number(value) === 0) return `±0.0${unit}`;
  return `${difference > 0 ? "+" : "−"}${value.replace("-", "")}${unit}`;
}

export function bytes(size: number): string {
  if (size < 1000) return counted(size, "byte");
  if (size < 1e6) return `${(size / 1e3).toFixed(0)} kB`;
  if (size < 1e9) return `${(size / 1e6).toFixed(size < 1e7 ? 1 : 0)} MB`;
  return `${(size / 1e9).toFixed(2)} GB`;
}

/** Milliseconds as `about 3 min`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return `${minutes} min ${seconds % 60} s`;
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A loss or a rate with three significant figures. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "not a number";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size < 1e-3 || size >= 1e5 ? value.toExponential(2) : String(Number(value.toPrecision(3)));
}

/** `4, 9, 12 and 31 more`. */
export function listed(items: readonly (string | number)[], most = 8): string {
  const shown = items.slice(0, most).join(", ");
  return items.length > most ? `${shown} and ${count(items.length - most)} more` : shown;
}

/** What a list of names has for a word, or the word itself: it may come from a file, and be one that every object has. */
export const nameIn = (names: Readonly<Record<string, string>>, word: string): string =>
  (Object.hasOwn(names, word) ? names[word] : undefined) ?? word;

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof Error && error.message) return error.message;
  return String(error);
}

/** The package's `code`, if the error has one. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  if (error instanceof DOMException && error.name === "AbortError") return "aborted";
  const code = (error as { code?: unknown }).code;
  return typeof code === "string" ? code : undefined;
}
