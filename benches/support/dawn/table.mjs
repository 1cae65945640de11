/**
 * What was measured, as tables in Markdown.
 */

/** @typedef {{ label: string, count: number, workgroups: number, ms?: number }} Kernel */

/** Rows of a list of kernels. */
const SHOWN = 12;

/** @param {string[][]} rows the first is the head */
function table(rows) {
  const [head = [], ...others] = rows;
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(["---", ...head.slice(1).map(() => "---:")]), ...others.map(line)].join("\n");
}

const mib = (/** @type {number} */ bytes) => (bytes / 2 ** 20).toFixed(0);
const ms = (/** @type {number | undefined} */ value) =>
  value === undefined ? "-" : value < 100 ? value.toFixed(1) : value.toFixed(0);
const small = (/** @type {number | undefined} */ value) => (value === undefined ? "-" : value.toExponential(1));
const share = (/** @type {number | undefined} */ part, /** @type {number} */ whole) =>
  part === undefined || whole === 0 ? "-" : `${((100 * part) / whole).toFixed(1)}%`;

/** The kind of kernel: a label without the types, sizes and hash that CubeCL puts after its name. @param {string} label */
export function kindOf(label) {
  return label.replace(/_[0-9a-f]{8}$/, "").replace(/_[a-z]+_[fiu](?:16|32)(?:_.*)?$/, "");
}

/** @param {Kernel[]} kernels of one step @returns {Kernel[]} one a kind, the most frequent first */
export function kinds(kernels) {
  /** @type {Map<string, Kernel>} */
  const found = new Map();
  for (const { label, count, workgroups, ms: time } of kernels) {
    const known = found.get(kindOf(label)) ?? { label: kindOf(label), count: 0, workgroups: 0 };
    known.count += count;
    known.workgroups += workgroups;
    if (time !== undefined) known.ms = (known.ms ?? 0) + time;
    found.set(known.label, known);
  }
  return [...found.values()].sort((a, b) => b.count - a.count);
}

/** How many dispatches only copy. @param {Kernel[]} kernels */
export const copiesOf = (kernels) =>
  kinds(kernels)
    .filter(({ label }) => label.startsWith("copy_kernel"))
    .reduce((sum, { count }) => sum + count, 0);

/** @param {any[]} results each with a `name` and what a measuring process sends */
export function countTable(results) {
  const head = [
    "step",
    "dispatches",
    "copies among them",
    "different kernels",
    "bind groups",
    "submits",
    "writes",
    "reads",
    "pipelines before the first step ends",
    "buffers MiB",
    "alive at most, MiB",
  ];
  const rows = results.map(({ name, counts, kernels, pipelines, buffers }) => [
    name,
    ...[counts.dispatches, copiesOf(kernels), kernels.length, counts.bindGroups, counts.submits, counts.writes].map(
      String,
    ),
    ...[counts.reads, pipelines].map(String),
    mib(buffers.engine),
    mib(buffers.peak),
  ]);
  return table([head, ...rows]);
}

/** @param {any[]} results @param {Map<string, number> | undefined} peer PyTorch's milliseconds by name */
export function timeTable(results, peer) {
  const head = [
    "step",
    "ms, first",
    "ms a step",
    "ms the thread works",
    "losses",
    "off the CPU engine's",
    "gradients off",
  ];
  const rows = results.map(({ name, firstMs, ms: time, hostMs, losses, cpu }) => {
    const other = peer?.get(name);
    return [
      name,
      ms(firstMs),
      ms(time),
      ms(hostMs),
      losses?.map((/** @type {number} */ loss) => loss.toFixed(5)).join(", ") ?? "-",
      small(cpu?.loss),
      small(cpu?.gradients),
      ...(peer ? [ms(other), other && time ? (time / other).toFixed(1) : "-"] : []),
    ];
  });
  return table([peer ? [...head, "PyTorch, ms", "times PyTorch"] : head, ...rows]);
}

/** The most frequent kinds, and where they were timed the kernels that take longest. @param {Kernel[]} kernels */
export function kernelTables(kernels) {
  const launches = kernels.reduce((sum, { count }) => sum + count, 0);
  const time = kernels.reduce((sum, kernel) => sum + (kernel.ms ?? 0), 0);
  const wide = time > 0;
  const row = (/** @type {Kernel} */ { label, count, ms: own }) => [
    `\`${label}\``,
    String(count),
    share(count, launches),
    ...(wide ? [ms(own), share(own, time)] : []),
  ];
  const head = (/** @type {string} */ what) => [
    what,
    "dispatches",
    "share",
    ...(wide ? ["ms, alone", "share of time"] : []),
  ];
  const tables = [table([head("kind of kernel"), ...kinds(kernels).slice(0, SHOWN).map(row)])];
  if (wide) {
    const longest = kernels.toSorted((a, b) => (b.ms ?? 0) - (a.ms ?? 0)).slice(0, SHOWN);
    tables.push(table([head("kernel that takes longest"), ...longest.map(row)]));
  }
  return tables.join("\n\n");
}
