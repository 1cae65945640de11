/** Turns what was typed into the options drawer into a run's options, and a run's options back into typed values. */
import { codeOf, messageOf } from "../ui/format";
import type { OptionField } from "./options";

/** By a field's path; an empty or absent one leaves the choice to the engine. */
export type FieldValues = Record<string, string>;

const typedIn = (values: FieldValues, path: string): string => (values[path] ?? "").trim();

export const isShown = ({ when }: OptionField, values: FieldValues): boolean =>
  when === undefined || when.values.includes(typedIn(values, when.path));

const parts = (typed: string, mark: string): string[] =>
  typed
    .split(mark)
    .map((part) => part.trim())
    .filter((part) => part !== "");

function readNumber(typed: string): number {
  const value = Number(typed);
  if (typed === "" || !Number.isFinite(value)) throw new Error(`expected a number, found "${typed}"`);
  return value;
}

function readPair(pair: string): [string, number] {
  // The name may be a regular expression, so the last sign counts.
  const at = pair.lastIndexOf("=");
  if (at < 1) throw new Error(`expected name = number, found "${pair}"`);
  return [pair.slice(0, at).trim(), readNumber(pair.slice(at + 1).trim())];
}

const readers: Record<OptionField["kind"], (typed: string) => unknown> = {
  number: readNumber,
  integers: (typed) => parts(typed, ",").map(readNumber),
  names: (typed) => (typed === "all-linear" ? typed : (/^\/(.+)\/$/.exec(typed)?.[1] ?? parts(typed, ","))),
  pairs: (typed) => Object.fromEntries(parts(typed, ";").map(readPair)),
  lines: (typed) => parts(typed, "\n").map((line) => line.replaceAll("\\n", "\n")),
  select: (typed) => {
    if (typed === "on") return {};
    return typed === "true" || typed === "false" ? typed === "true" : typed;
  },
};

/** Fields that are empty or not shown are left out, so that the engine decides. */
export function readOptions<Options extends object>(
  fields: readonly OptionField[],
  values: FieldValues,
): { options: Options; errors: FieldValues } {
  const options: Record<string, unknown> = {};
  const errors: FieldValues = {};
  for (const field of fields) {
    const typed = typedIn(values, field.path);
    if (typed === "" || !isShown(field, values)) continue;
    try {
      put(options, field.path.split("."), readers[field.kind](typed));
    } catch (error) {
      errors[field.path] = (error as Error).message;
    }
  }
  return { options: options as Options, errors };
}

function put(into: Record<string, unknown>, [first = "", ...rest]: string[], value: unknown): void {
  if (rest.length === 0) {
    into[first] = value;
    return;
  }
  into[first] ??= {};
  put(into[first] as Record<string, unknown>, rest, value);
}

function optionAt(options: object, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | null | undefined)?.[key], options);
}

/** A value as a person would type it into the field. */
function typedValue(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.map(inWords).join(", ");
  if (typeof value !== "object") return String(value);
  return Object.entries(value)
    .map(([name, one]) => `${name} = ${inWords(one)}`)
    .join("; ");
}

/** An object from a file need not become text by itself. */
const inWords = (value: unknown): string => (typeof value === "object" ? JSON.stringify(value) : String(value));

/** The drawer filled with the settings of an earlier run. */
export function typedOptions(fields: readonly OptionField[], options: object): FieldValues {
  const values: FieldValues = {};
  for (const { path, kind } of fields) {
    const value = optionAt(options, path);
    const pattern = kind === "names" && typeof value === "string" && value !== "all-linear";
    const object = kind === "select" && typeof value === "object" && value !== null;
    const typed = pattern ? `/${value}/` : object ? "on" : typedValue(value);
    if (typed !== "") values[path] = typed;
  }
  return values;
}

/** The field that an `invalidOption` error is about, and what is wrong with it. */
export function fieldOfError(
  fields: readonly OptionField[],
  error: unknown,
): { path: string; reason: string } | undefined {
  if (codeOf(error) !== "invalidOption") return undefined;
  const { option } = error as { option?: string };
  if (option === undefined) return undefined;
  const last = option.split(".").pop();
  const field =
    fields.find(({ path }) => path === option || path === `${option}.type`) ??
    fields.find(({ path }) => path.split(".").pop() === last);
  const message = messageOf(error);
  const name = `${option}: `;
  // The field is named by where it is shown.
  return field && { path: field.path, reason: message.startsWith(name) ? message.slice(name.length) : message };
}
