/**
 * Reads the settings of one run from a command line and checks them as far as possible without the engine.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { DeviceChoice } from "../device.js";
import type { ExportFormat, Method, WeightStorage } from "../types/engine.js";
import type { WorkerChoice } from "../worker/cores.js";
import type { Around, TaskWord } from "./around.js";
import { type ModelChoice, type ParseChoice, type RunOptions, readCheckpoint, type Settings } from "./checkpoint.js";
import { Failure } from "./failure.js";

const builtIn = (name: string): string => fileURLToPath(new URL(`./examples/${name}`, import.meta.url));
const BUILT_IN: Readonly<Record<TaskWord, string>> = {
  classification: builtIn("support.jsonl"),
  "causal-lm": builtIn("bakery-chats.jsonl"),
};
export const ENCODINGS: readonly string[] = ["utf-8", "utf-16le", "utf-16be", "windows-1252"];
const STORAGES: readonly string[] = ["f32", "f16", "int8", "int4"];
/** Formats to choose from. A classifier's adapter is written always, and these next to it. */
const EXPORTS: Readonly<Record<TaskWord, readonly string[]>> = {
  classification: ["merged", "onnx", "onnx-fp16"],
  "causal-lm": ["peft", "gguf", "merged"],
};
/** Options that only language models have. */
const LANGUAGE_ONLY = ["prompts"] as const;
/** Options that only classifiers have. */
const CLASSIFIER_ONLY = ["text-column", "text-pair-column", "label-columns", "label-separator"] as const;
const DEVICES: readonly string[] = ["auto", "cpu", "webgpu"];
const REPOSITORY = /^[A-Za-z0-9][\w.-]*(\/[\w.-]+)?$/;
/** A GGUF file in a repository. */
const REPOSITORY_FILE = /^([A-Za-z0-9][\w.-]*\/[\w.-]+)\/([^/].*\.gguf)$/i;

/** Options that a run which goes on may have anew; all others are those that it began with. */
const ANEW = ["resume", "device", "workers", "checkpoint-seconds"];
const CHECKPOINT_SECONDS = 20;
const DAY = 86400;

const usage = ({ typed }: Around): string =>
  `${typed("finetune")} [--task classification|causal-lm] [--train FILE] [--test FILE] [--model DIR|FILE.gguf|repository] [--hub-url URL] [--base-name NAME] [--device auto|cpu|webgpu] [--workers auto|N] [--seed N] [--seeds N] [--options JSON|FILE] [--prompts FILE] [--export FORMATS] [--storage f32|f16|int8|int4] [--encoding E] [--text-column NAME] [--text-pair-column NAME] [--label-columns A,B] [--label-separator S] [--skip-bad] [--checkpoint-seconds N] --out DIR, or ${typed("finetune")} --resume DIR [--device auto|cpu|webgpu] [--workers auto|N] [--checkpoint-seconds N]`;

export const help = ({
  typed,
}: Around): string => `${typed("finetune")} --train FILE --out DIR [options]   trains and writes the result to DIR
${typed("finetune")} --resume DIR [options]             goes on with a run that was cut off

  --task classification|causal-lm     default: classification
  --train FILE                        rows; default: the built-in examples
  --test FILE                         rows that are answered before and after
  --model DIR|FILE.gguf|repository    there is a default for each task; repository/FILE.gguf names one of several
  --hub-url URL                       where repositories are looked up
  --device auto|cpu|webgpu            default: auto
  --workers auto|N                    cores that the CPU engine computes on, each with a copy of the model; default: auto, which leaves one free
  --seed N, --seeds N                 first seed, and number of seeds
  --options JSON|FILE                 what a run takes, see docs/options.md
  --prompts FILE                      texts that a language model continues
  --export peft,gguf,merged           formats of a language model; default: peft
  --export merged,onnx,onnx-fp16      what a classifier leaves as besides its adapter
  --storage f32|f16|int8|int4         of the frozen weights; default: f32
  --base-name NAME                    what the exported files call the base model: a repository or a folder that others load it from
  --encoding E                        of the rows: utf-8, utf-16le, utf-16be or windows-1252
  --text-column NAME                  of a classifier's rows; named alone, that text is read alone
  --text-pair-column NAME             the second text of rows that are pairs; those of a known pair are found
  --label-columns A,B,...             columns of 0 and 1, a label each, of which a text may have several
  --label-separator S                 what stands between several labels in one column; "" for one label a text
  --skip-bad                          leaves out rows that cannot be used, and names them
  --out DIR                           where the result goes
  --checkpoint-seconds N              how often the run's state goes to DIR/checkpoint, which holds the last two until the
                                      result is written: 0 to ${DAY}, default ${CHECKPOINT_SECONDS}; 0 for after every event. Less often,
                                      whatever N is, if making states would take more than 2% of the run's time
  --resume DIR                        takes the rest from DIR/checkpoint; --device, --workers and --checkpoint-seconds may be given
                                      anew
`;

/** A folder that relative paths begin in. */
type From = (path: string) => string;
type Values = Readonly<Record<string, string | boolean | undefined>>;

export function readable(option: string, path: string, from: From): string {
  const file = from(path);
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) throw new Failure(`--${option}: there is no file ${path}`);
  return file;
}

export function readOptions(given: string, from: From): RunOptions {
  const inline = given.trimStart().startsWith("{");
  let options: unknown;
  try {
    options = JSON.parse(inline ? given : readFileSync(readable("options", given, from), "utf8"));
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(
      `--options: expected JSON, found ${inline ? given : `something else in ${given}`} (${(error as Error).message})`,
    );
  }
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new Failure('--options: expected a JSON object, such as {"numTrainEpochs": 3}');
  }
  return options;
}

export function readModel(given: string, hubUrl: string | undefined, from: From): ModelChoice {
  const folder = from(given);
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found?.isDirectory()) return readFolder(given, folder);
  if (found?.isFile()) {
    if (/\.gguf$/i.test(given)) return { gguf: folder };
    throw new Failure(`--model: ${given} is a file; expected a folder, a .gguf file or a repository's name`);
  }
  const [, repository = given, file] = REPOSITORY_FILE.exec(given) ?? [];
  if (!REPOSITORY.test(repository)) {
    throw new Failure(`--model: ${given} is neither a folder nor a .gguf file nor a repository's name`);
  }
  return { repository, ...(file ? { file } : {}), ...(hubUrl ? { hubUrl } : {}) };
}

function readFolder(given: string, folder: string): ModelChoice {
  if (existsSync(join(folder, "config.json"))) return { folder };
  const [file, ...others] = readdirSync(folder).filter((name) => /\.gguf$/i.test(name));
  if (!file && existsSync(join(folder, "adapter_config.json"))) {
    throw new Failure(`--model: ${given} is a PEFT adapter, not a model: name the model that it was trained on`);
  }
  if (!file) throw new Failure(`--model: ${given} holds no config.json and no .gguf file`);
  if (others.length > 0) {
    throw new Failure(`--model: ${given} holds several .gguf files; name one of them, such as ${join(given, file)}`);
  }
  return { gguf: join(folder, file) };
}

/** The formats to write, and none that the method or the storage cannot have: that is said before anything is trained. */
function readExports(
  task: TaskWord,
  given: string | undefined,
  method: Method | undefined,
  storage: string,
): ExportFormat[] | undefined {
  const language = task === "causal-lm";
  // A classifier's result leaves in its method's own format.
  if (!language && given === undefined) return undefined;
  // All weights leave as a model, which has no adapter.
  const exports = (given ?? (method?.type === "full" ? "merged" : "peft")).split(",");
  const known = EXPORTS[task];
  const unknown = exports.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Failure(`--export: expected some of ${known.join(", ")}, found "${unknown}"`);
  if (language) checkExports(exports, method, storage);
  else checkWholes(exports, method, storage);
  return exports as ExportFormat[];
}

function checkWholes([first]: readonly string[], method: Method | undefined, storage: string): void {
  if (method?.type === "prefix" || method?.type === "houlsby") {
    throw new Failure(
      `--export: ${first} folds changes into weights, and ${method.type} changes none; leave --export out`,
    );
  }
  if (storage.startsWith("int")) {
    throw new Failure(`--export: ${first} would keep what --storage ${storage} rounded away; use f32 or f16`);
  }
}

function checkExports(exports: readonly string[], method: Method | undefined, storage: string): void {
  const refuse = (format: string, why: string): void => {
    if (exports.includes(format)) throw new Failure(`--export: ${format} ${why}`);
  };
  if (method?.type === "full") {
    refuse("peft", "holds adapters, and method full has none; use merged");
    refuse("gguf", "holds adapters, and method full has none; use merged");
  }
  if (method?.type === "prefix") {
    refuse("gguf", "holds LoRA alone; a prefix leaves as peft");
    refuse("merged", "folds changes into weights, and a prefix changes none; use peft");
  }
  const { useDora, bias = "none" } = method?.type === "lora" ? method : {};
  if (useDora) refuse("gguf", "has no place for DoRA's magnitudes; use peft or merged");
  if (bias !== "none") refuse("gguf", "has no place for trained biases; use peft or merged");
  if (storage.startsWith("int")) refuse("merged", `would keep what --storage ${storage} rounded away; use f32 or f16`);
}

export function checkDevice(device: string | undefined): asserts device is DeviceChoice | undefined {
  if (device === undefined || DEVICES.includes(device)) return;
  throw new Failure(`--device: expected one of ${DEVICES.join(", ")}, found ${device}`);
}

export function readTask(given = "classification"): TaskWord {
  if (given === "classification" || given === "causal-lm") return given;
  throw new Failure(`--task: expected one of ${Object.keys(BUILT_IN).join(", ")}, found ${given}`);
}

export function readStorage(given = "f32"): WeightStorage {
  if (STORAGES.includes(given)) return given as WeightStorage;
  throw new Failure(`--storage: expected one of ${STORAGES.join(", ")}, found ${given}`);
}

function readWorkers(given: string): WorkerChoice {
  const count = /^[1-9]\d?$/.test(given) ? Number(given) : Number.NaN;
  if (given === "auto" || count <= 64) return given === "auto" ? given : count;
  throw new Failure(`--workers: expected auto or a whole number from 1 to 64, found ${given}`);
}

function readSeconds(given: string): number {
  const seconds = /^\d{1,5}$/.test(given) ? Number(given) : Number.NaN;
  if (seconds <= DAY) return seconds;
  throw new Failure(`--checkpoint-seconds: expected a whole number from 0 to ${DAY}, found ${given}`);
}

function readResumed(values: Values, given: string, anew: Partial<Settings>, from: From): Given {
  const refused = Object.keys(values).find((name) => !ANEW.includes(name));
  if (refused) {
    throw new Failure(
      `--${refused}: the run in ${given} goes on with what it began with; next to --resume expected nothing but --device, --workers and --checkpoint-seconds`,
    );
  }
  const out = from(given);
  const { settings, folder, states } = readCheckpoint(out);
  return { settings: { ...settings, ...anew }, out, from: { folder, states } };
}

/** How several labels of a text are written. */
function labelsIn({ "label-columns": columns, "label-separator": separator }: Values): ParseChoice {
  return {
    ...(typeof columns === "string" ? { labelColumns: columns.split(",").map((name) => name.trim()) } : {}),
    ...(typeof separator === "string" ? { labelSeparator: separator } : {}),
  };
}

/** What the files of rows are read with; what was not named is left to the reader. */
export function readParse(values: Values): ParseChoice {
  const { encoding, "skip-bad": skipBad } = values;
  if (typeof encoding === "string" && !ENCODINGS.includes(encoding)) {
    throw new Failure(`--encoding: expected one of ${ENCODINGS.join(", ")}, found ${encoding}`);
  }
  const columns = { textColumn: values["text-column"], textPairColumn: values["text-pair-column"] };
  const all = { encoding, ...columns, ...labelsIn(values), skipBad: skipBad || undefined };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

export interface Given {
  settings: Settings;
  out: string;
  /** The states that the run can go on from, if it was cut off before. */
  from?: { folder: string; states: string[] };
}

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;

/** How files of rows are read. */
export const PARSE_OPTIONS = {
  encoding: text,
  "text-column": text,
  "text-pair-column": text,
  "label-columns": text,
  "label-separator": text,
  "skip-bad": flag,
} as const;

const OPTIONS = {
  task: text,
  train: text,
  test: text,
  model: text,
  "hub-url": text,
  "base-name": text,
  device: text,
  workers: text,
  seed: text,
  seeds: text,
  options: text,
  prompts: text,
  export: text,
  storage: text,
  out: text,
  ...PARSE_OPTIONS,
  "checkpoint-seconds": text,
  resume: text,
  help: { ...flag, short: "h" },
} as const;

/** The settings of a run, and where its result goes. */
export function readArguments(args: readonly string[], around: Around): Given | "help" {
  const from: From = (path) => resolve(around.from, path);
  let values: ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];
  try {
    ({ values } = parseArgs({ args: [...args], options: OPTIONS }));
  } catch (error) {
    throw new Failure(`${(error as Error).message.split("\n")[0]}; usage: ${usage(around)}`);
  }
  if (values.help) return "help";
  checkDevice(values.device);
  const every = values["checkpoint-seconds"];
  const workers = values.workers === undefined ? undefined : readWorkers(values.workers);
  const checkpointSeconds = every === undefined ? CHECKPOINT_SECONDS : readSeconds(every);
  if (values.resume !== undefined) {
    const anew = {
      ...(values.device === undefined ? {} : { device: values.device }),
      ...(workers === undefined ? {} : { workers }),
      ...(every === undefined ? {} : { checkpointSeconds }),
    };
    return readResumed(values, values.resume, anew, from);
  }
  const { device = "auto", seed, seeds, out } = values;
  if (!out) throw new Failure(`--out is missing; usage: ${usage(around)}`);
  const task = readTask(values.task);
  const language = task === "causal-lm";
  const misplaced = (language ? CLASSIFIER_ONLY : LANGUAGE_ONLY).find((name) => values[name] !== undefined);
  if (misplaced) throw new Failure(`--${misplaced}: it needs --task ${language ? "classification" : "causal-lm"}`);
  const storage = readStorage(values.storage);
  const options = values.options === undefined ? {} : readOptions(values.options, from);
  const exports = readExports(task, values.export, options.method, storage);
  if (seed !== undefined && !/^\d{1,15}$/.test(seed)) {
    throw new Failure(`--seed: expected a whole number of at most 15 digits, found ${seed}`);
  }
  if (seeds !== undefined && !/^[1-9]\d?$/.test(seeds)) {
    throw new Failure(`--seeds: expected a whole number from 1 to 99, found ${seeds}`);
  }
  if (values["hub-url"] !== undefined && (values.model === undefined || existsSync(from(values.model)))) {
    throw new Failure("--hub-url: expected a repository's name in --model, which is what it looks up");
  }
  if (values["base-name"]?.trim() === "") throw new Failure("--base-name: expected a name, found none");
  const skipBad = values["skip-bad"] ?? false;
  const settings: Settings = {
    task,
    storage,
    exports,
    prompts: values.prompts === undefined ? undefined : readable("prompts", values.prompts, from),
    train: values.train === undefined ? BUILT_IN[task] : readable("train", values.train, from),
    test: values.test === undefined ? undefined : readable("test", values.test, from),
    model: values.model === undefined ? undefined : readModel(values.model, values["hub-url"], from),
    baseName: values["base-name"],
    device,
    workers,
    options: {
      ...options,
      ...(seed === undefined ? {} : { seed: Number(seed) }),
      ...(seeds === undefined ? {} : { seeds: Number(seeds) }),
      ...(skipBad ? { skipBad } : {}),
    },
    parse: readParse(values),
    checkpointSeconds,
  };
  return { settings, out: from(out) };
}
