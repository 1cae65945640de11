/** A measurement over the steps of a run, thinned out as it grows: a run of any length costs the same to draw, and to add to. */

export interface Line {
  /** Those that are kept, and the last one. */
  steps: number[];
  /** One for each of them. */
  values: number[];
  /** How many there were. */
  count: number;
  /** Every so many are kept. */
  stride: number;
  first: number;
  last: number;
  /** Of all that were numbers; infinite if none was. */
  lowest: number;
}

/** Points of a line when it has just been thinned out; it has twice as many before that. */
const FEW = 250;

export const emptyLine: Line = {
  steps: [],
  values: [],
  count: 0,
  stride: 1,
  first: Number.NaN,
  last: Number.NaN,
  lowest: Infinity,
};

const everyOther = <T>(list: readonly T[]): T[] => list.filter((_, index) => index % 2 === 0);

export function extended(line: Line, step: number, value: number): Line {
  const { count, stride } = line;
  // The last point is there whatever its number is, and goes if it is none of those that are kept.
  const isKept = count === 0 || (count - 1) % stride === 0;
  const at = isKept ? line.steps.length : line.steps.length - 1;
  const steps = line.steps.slice();
  const values = line.values.slice();
  steps[at] = step;
  values[at] = value;
  const isFull = count % stride === 0 && steps.length > 2 * FEW;
  return {
    steps: isFull ? everyOther(steps) : steps,
    values: isFull ? everyOther(values) : values,
    count: count + 1,
    stride: isFull ? 2 * stride : stride,
    first: count === 0 ? value : line.first,
    last: value,
    lowest: Number.isFinite(value) ? Math.min(line.lowest, value) : line.lowest,
  };
}

/** At most so many of a list, evenly, its first and its last among them. */
export function thinned<T>(list: readonly T[], most: number): T[] {
  if (list.length <= most) return [...list];
  const stride = (list.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, index) => list[Math.round(index * stride)] as T);
}
