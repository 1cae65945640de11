/**
 * Trains every method on a labelled file and prints a table next to the baselines, which docs/figures.md quotes.
 *
 *   npm run bench:methods -- --train FILE --test FILE --out DIR [--seeds 1,2,3] [--few ROWS] [--cache] [--only NAME,...] [--jobs N]
 *
 * `--few 8` cuts the training file to 8 rows a label and takes the seeds as draws. `--cache` times the reuse of the frozen part instead.
 * Each run is `npm run finetune` in a process of its own; runs whose metrics.json exists are read and not repeated.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Failure, say, script } from "../scripts/run.mjs";
import { finetune, metricsOf } from "./support/finetune.mjs";
import { randomOf } from "./support/random.mjs";

/** @typedef {{ name: string, options: Record<string, unknown> }} Setting */

/** @type {Setting[]} */
const METHODS = [
  { name: "probe", options: { method: { type: "probe" } } },
  { name: "lora (balanced)", options: {} },
  { name: "lora (fast)", options: { recipe: "fast" } },
  { name: "lora (best)", options: { recipe: "best" } },
  { name: "dora", options: { method: { type: "lora", useDora: true } } },
  { name: "full", options: { method: { type: "full" } } },
  { name: "houlsby", options: { method: { type: "houlsby" } } },
  { name: "prefix", options: { method: { type: "prefix" } } },
];

/** What few rows do to tuning without a contrastive stage, and with it. @type {Setting[]} */
const FEW = [
  { name: "lora without contrastive stage", options: { contrastive: false } },
  { name: "full without contrastive stage", options: { method: { type: "full" }, contrastive: false } },
  { name: "contrastive (balanced)", options: {} },
  { name: "contrastive (best)", options: { recipe: "best" } },
  { name: "contrastive (fast)", options: { recipe: "fast" } },
];

const TOP = { method: { type: "lora", layersToTransform: [4, 5] } };

/** The same run with and without reuse. @type {Setting[]} */
const CACHE = [
  { name: "probe reused", options: { method: { type: "probe" }, earlyStoppingPatience: 0 } },
  { name: "probe recomputed", options: { method: { type: "probe" }, earlyStoppingPatience: 0, frozenCache: false } },
  { name: "lora on the top 2 layers reused", options: { ...TOP, earlyStoppingPatience: 0 } },
  {
    name: "lora on the top 2 layers recomputed",
    options: { ...TOP, earlyStoppingPatience: 0, frozenCache: false },
  },
];

/** JSON lines with this many rows a label. @param {string} train @param {number} rows @param {number} draw @param {string} file */
function cut(train, rows, draw, file) {
  /** @type {Map<string, string[]>} */
  const byLabel = new Map();
  for (const line of readFileSync(train, "utf8").split("\n")) {
    if (!line.trim()) continue;
    const { label } = JSON.parse(line);
    byLabel.set(label, [...(byLabel.get(label) ?? []), line]);
  }
  const random = randomOf(draw);
  const kept = [...byLabel.keys()].sort().flatMap((label) => {
    const left = [...(byLabel.get(label) ?? [])];
    return Array.from({ length: Math.min(rows, left.length) }, () =>
      left.splice(Math.floor(random() * left.length), 1),
    ).flat();
  });
  writeFileSync(file, `${kept.join("\n")}\n`);
}

const mean = (/** @type {number[]} */ values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const percent = (/** @type {number} */ share) => (100 * share).toFixed(1);

/** @param {string} name @param {any[]} runs */
function row(name, runs) {
  const accuracies = runs.map(({ tuned }) => tuned.accuracy);
  const cells = [
    name,
    `${percent(mean(accuracies))}% (${accuracies.map(percent).join(", ")})`,
    `${percent(mean(runs.map(({ trainedParameters, totalParameters }) => trainedParameters / totalParameters)))}%`,
    mean(runs.map(({ seconds }) => seconds)).toFixed(0),
    mean(runs.map(({ forgetting }) => forgetting.meanCosine)).toFixed(3),
  ];
  return `| ${cells.join(" | ")} |`;
}

/** @param {any[]} runs */
function baselineRows(runs) {
  const words = { zeroShot: "zero-shot, label names", centroid: "nearest centroid", probe: "linear probe" };
  return Object.entries(words).map(([key, name]) => {
    const accuracies = runs.map(({ baselines }) => baselines[key].accuracy);
    return `| *${name}* | ${percent(mean(accuracies))}% (${accuracies.map(percent).join(", ")}) | | | |`;
  });
}

/** @param {string} name @param {any[]} runs */
function cacheRow(name, runs) {
  const seconds = mean(runs.map((run) => run.seconds));
  const step = mean(runs.map((run) => run.msPerStep));
  return `| ${name} | ${seconds.toFixed(1)} | ${step.toFixed(1)} | ${runs[0].cachedLayers} |`;
}

/** @template T @param {T[]} jobs @param {number} count @param {(job: T) => Promise<void>} work */
async function inParallel(jobs, count, work) {
  const queue = [...jobs];
  const worker = async () => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) await work(job);
  };
  await Promise.all(Array.from({ length: count }, worker));
}

script(import.meta.url, async () => {
  const text = /** @type {const} */ ({ type: "string" });
  const { values } = parseArgs({
    options: {
      train: text,
      test: text,
      out: text,
      seeds: text,
      few: text,
      only: text,
      jobs: text,
      cache: { type: "boolean" },
    },
  });
  const { train, test, out, only } = values;
  if (!train || !test || !out) throw new Failure("expected --train FILE --test FILE --out DIR");
  const seeds = (values.seeds ?? "1,2,3").split(",").map(Number);
  const few = values.few === undefined ? undefined : Number(values.few);
  const all = values.cache ? CACHE : few === undefined ? METHODS : FEW;
  const wanted = only?.split(",");
  const settings = all.filter(({ name }) => !wanted || wanted.includes(name));
  if (settings.length === 0) throw new Failure(`--only: expected some of ${all.map(({ name }) => name).join(", ")}`);
  const folder = resolve(out);
  mkdirSync(folder, { recursive: true });

  const place = (/** @type {string} */ name, /** @type {number} */ seed) =>
    join(folder, `${name.replace(/[^a-z0-9]+/g, "-")}-${seed}`);
  const jobs = seeds.flatMap((seed) => settings.map((setting) => ({ ...setting, seed })));
  await inParallel(jobs, Number(values.jobs ?? 1), async ({ name, options, seed }) => {
    const target = place(name, seed);
    if (existsSync(join(target, "metrics.json"))) return;
    let rows = resolve(train);
    if (few !== undefined) {
      rows = join(folder, `draw-${seed}.jsonl`);
      cut(resolve(train), few, seed, rows);
    }
    say(`${name}, seed ${seed}`);
    const given = ["--train", rows, "--test", resolve(test), "--device", "cpu", "--seed", String(seed)];
    await finetune(target, [...given, "--options", JSON.stringify(options)]);
  });

  const results = settings.map(({ name }) => ({
    name,
    runs: seeds.map((seed) => metricsOf(place(name, seed))),
  }));
  const lines = values.cache
    ? [
        "| run | seconds | ms a step | layers kept |",
        "| --- | ---: | ---: | ---: |",
        ...results.map(({ name, runs }) => cacheRow(name, runs)),
      ]
    : [
        "| | accuracy | parameters trained | seconds a run | cosine before and after |",
        "| --- | ---: | ---: | ---: | ---: |",
        ...baselineRows(results[0]?.runs ?? []),
        ...results.map(({ name, runs }) => row(name, runs)),
      ];
  process.stdout.write(`${lines.join("\n")}\n`);
});
