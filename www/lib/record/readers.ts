/**
 * Readers of values from outside: each gives a clean copy of what it was made for, with nothing else in it, or refuses by the place where
 * something else was found.
 */
import { WebtuneError } from "../errors.js";

/** @throws WebtuneError `invalidFile`. */
export type Read<T> = (value: unknown, at: string) => T;

const SHOWN = 60;

/** Of a list or an object only what it is: it may be too deep to be written out. */
function inWords(found: unknown): string {
  if (found === undefined) return "nothing";
  if (Array.isArray(found)) return `a list of ${found.length}`;
  if (typeof found === "object" && found !== null) return "an object";
  const shown = JSON.stringify(found);
  return shown.length > SHOWN ? `${shown.slice(0, SHOWN)}...` : shown;
}

export function refuse(at: string, expected: string, found: unknown): never {
  throw new WebtuneError("invalidFile", `run record: ${at}: expected ${expected}, found ${inWords(found)}`);
}

export const text: Read<string> = (value, at) => (typeof value === "string" ? value : refuse(at, "a text", value));

/** A name, which has its place in a line. */
export const line: Read<string> = (value, at) => {
  const read = text(value, at);
  return read.length <= 1000 ? read : refuse(at, "a text of at most 1,000 characters", read);
};

export const flag: Read<boolean> = (value, at) =>
  typeof value === "boolean" ? value : refuse(at, "true or false", value);

/** JSON has no infinity, but `1e999` is one. */
export const number: Read<number> = (value, at) =>
  typeof value === "number" && Number.isFinite(value) ? value : refuse(at, "a number", value);

export const between =
  (low: number, high: number): Read<number> =>
  (value, at) => {
    const read = number(value, at);
    return read >= low && read <= high ? read : refuse(at, `a number from ${low} to ${high}`, read);
  };

export const share = between(0, 1);

export const positive: Read<number> = (value, at) => {
  const read = number(value, at);
  return read >= 0 ? read : refuse(at, "a number from 0", read);
};

export const count: Read<number> = (value, at) =>
  Number.isSafeInteger(value) && (value as number) >= 0
    ? (value as number)
    : refuse(at, "a whole number from 0", value);

export const oneOf =
  <const T extends string | number | boolean>(...values: readonly T[]): Read<T> =>
  (value, at) =>
    values.includes(value as T)
      ? (value as T)
      : refuse(at, values.map((one) => JSON.stringify(one)).join(" or "), value);

export const listOf =
  <T>(read: Read<T>, most = Infinity): Read<T[]> =>
  (value, at) => {
    if (!Array.isArray(value)) refuse(at, "a list", value);
    if (value.length > most) refuse(at, `at most ${most} entries`, value);
    return value.map((one, index) => read(one, `${at}[${index}]`));
  };

export const pairOf =
  <T>(read: Read<T>): Read<[T, T]> =>
  (value, at) => {
    if (!Array.isArray(value) || value.length !== 2) refuse(at, "a list of 2", value);
    return [read(value[0], `${at}[0]`), read(value[1], `${at}[1]`)];
  };

function fieldsOf(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) refuse(at, "an object", value);
  return value as Record<string, unknown>;
}

type Fields = Record<string, Read<unknown>>;
type Of<F extends Fields> = { [Name in keyof F]: F[Name] extends Read<infer T> ? T : never };

/** Further fields are left out. */
export const object =
  <F extends Fields>(fields: F): Read<Of<F>> =>
  (value, at) => {
    const given = fieldsOf(value, at);
    const found: [string, unknown][] = [];
    for (const [name, read] of Object.entries(fields)) {
      const one = read(Object.hasOwn(given, name) ? given[name] : undefined, at === "" ? name : `${at}.${name}`);
      if (one !== undefined) found.push([name, one]);
    }
    return Object.fromEntries(found) as Of<F>;
  };

/** Any names, with values of one kind. */
export const mapOf =
  <T>(read: Read<T>): Read<Record<string, T>> =>
  (value, at) =>
    Object.fromEntries(Object.entries(fieldsOf(value, at)).map(([name, one]) => [name, read(one, `${at}.${name}`)]));

export const optional =
  <T>(read: Read<T>): Read<T | undefined> =>
  (value, at) =>
    value === undefined ? undefined : read(value, at);

export const nullable =
  <T>(read: Read<T>): Read<T | null> =>
  (value, at) =>
    value === null ? null : read(value, at);

/** What the first of them takes. */
export const either =
  <A, B>(first: Read<A>, isFirst: (value: unknown) => boolean, second: Read<B>): Read<A | B> =>
  (value, at) =>
    isFirst(value) ? first(value, at) : second(value, at);
