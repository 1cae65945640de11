/**
 * Reads the settings of one run from a command line and checks them as far as possible without the engine.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./cache.mjs";
import { readCheckpoint } from "./finetune-checkpoint.mjs";
import { Failure } from "./run.mjs";

/** @type {Record<string, string>} */
const BUILT_IN = {
  classification: join(root, "www/app/examples/support.jsonl"),
  "causal-lm": join(root, "www/app/examples/bakery-chats.jsonl"),
};
const ENCODINGS = ["utf-8", "utf-16le", "utf-16be", "windows-1252"];
const STORAGES = ["f32", "f16", "int8", "int4"];
/** Formats to choose from. A classifier's adapter is written always, and these next to it. @type {Record<string, string[]>} */
const EXPORTS = {
  classification: ["merged", "onnx", "onnx-fp16"],
  "causal-lm": ["peft", "gguf", "merged"],
};
/** Options that only language models have. */
const LANGUAGE_ONLY = /** @type {const} */ (["prompts"]);
/** Options that only classifiers have. */
const CLASSIFIER_ONLY = /** @type {const} */ (["text-column", "text-pair-column", "label-columns", "label-separator"]);
const DEVICES = ["auto", "cpu", "webgpu"];
const REPOSITORY = /^[A-Za-z0-9][\w.-]*(\/[\w.-]+)?$/;
/** A GGUF file in a repository. */
const REPOSITORY_FILE = /^([A-Za-z0-9][\w.-]*\/[\w.-]+)\/([^/].*\.gguf)$/i;

/** Options that a run which goes on may have anew; all others are those that it began with. */
const ANEW = ["resume", "device", "checkpoint-seconds"];
const CHECKPOINT_SECONDS = 20;
const DAY = 86400;

const USAGE =
  "npm run finetune -- [--task classification|causal-lm] [--train FILE] [--test FILE] [--model DIR|FILE.gguf|repository] [--hub-url URL] [--base-name NAME] [--device auto|cpu|webgpu] [--seed N] [--seeds N] [--options JSON|FILE] [--prompts FILE] [--export FORMATS] [--storage f32|f16|int8|int4] [--encoding E] [--text-column NAME] [--text-pair-column NAME] [--label-columns A,B] [--label-separator S] [--skip-bad] [--checkpoint-seconds N] --out DIR, or npm run finetune -- --resume DIR [--device auto|cpu|webgpu] [--checkpoint-seconds N]";

export const HELP = `npm run finetune -- --train FILE --out DIR [options]   trains and writes the result to DIR
npm run finetune -- --resume DIR [options]             goes on with a run that was cut off

  --task classification|causal-lm     default: classification
  --train FILE                        rows; default: the built-in examples
  --test FILE                         rows that are answered before and after
  --model DIR|FILE.gguf|repository    there is a default for each task; repository/FILE.gguf names one of several
  --hub-url URL                       where repositories are looked up
  --device auto|cpu|webgpu            default: auto
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
  --resume DIR                        takes the rest from DIR/checkpoint; --device and --checkpoint-seconds may be given anew
`;

/** npm changes to the repository's folder; paths are relative to the folder that the person is in. */
const here = (/** @type {string} */ path) => resolve(process.env.INIT_CWD ?? process.cwd(), path);

/** @param {string} option @param {string} path */
function readable(option, path) {
  const file = here(path);
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) throw new Failure(`--${option}: there is no file ${path}`);
  return file;
}

/** @param {string} given */
function readOptions(given) {
  const inline = given.trimStart().startsWith("{");
  let options;
  try {
    options = JSON.parse(inline ? given : readFileSync(readable("options", given), "utf8"));
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(
      `--options: expected JSON, found ${inline ? given : `something else in ${given}`} (${/** @type {Error} */ (error).message})`,
    );
  }
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new Failure('--options: expected a JSON object, such as {"numTrainEpochs": 3}');
  }
  return options;
}

/** @param {string} given @param {string | undefined} hubUrl */
function readModel(given, hubUrl) {
  const folder = here(given);
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

/** @param {string} given @param {string} folder */
function readFolder(given, folder) {
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

/**
 * The formats to write, and none that the method or the storage cannot have: that is said before anything is trained.
 * @param {string} task @param {string | undefined} given @param {any} method @param {string} storage
 * @returns {string[] | undefined}
 */
function readExports(task, given, method, storage) {
  const language = task === "causal-lm";
  // A classifier's result leaves in its method's own format.
  if (!language && given === undefined) return undefined;
  // All weights leave as a model, which has no adapter.
  const exports = (given ?? (method?.type === "full" ? "merged" : "peft")).split(",");
  const known = EXPORTS[task] ?? [];
  const unknown = exports.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Failure(`--export: expected some of ${known.join(", ")}, found "${unknown}"`);
  if (language) checkExports(exports, method, storage);
  else checkWholes(exports, method, storage);
  return exports;
}

/** @param {string[]} exports @param {any} method @param {string} storage */
function checkWholes([first], method, storage) {
  if (method?.type === "prefix" || method?.type === "houlsby") {
    throw new Failure(
      `--export: ${first} folds changes into weights, and ${method.type} changes none; leave --export out`,
    );
  }
  if (storage.startsWith("int")) {
    throw new Failure(`--export: ${first} would keep what --storage ${storage} rounded away; use f32 or f16`);
  }
}

/** @param {string[]} exports @param {any} method @param {string} storage */
function checkExports(exports, method, storage) {
  const refuse = (/** @type {string} */ format, /** @type {string} */ why) => {
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
  if (method?.useDora) refuse("gguf", "has no place for DoRA's magnitudes; use peft or merged");
  if (method?.bias && method.bias !== "none") refuse("gguf", "has no place for trained biases; use peft or merged");
  if (storage.startsWith("int")) refuse("merged", `would keep what --storage ${storage} rounded away; use f32 or f16`);
}

/** @param {string | undefined} device */
function checkDevice(device) {
  if (device === undefined || DEVICES.includes(device)) return;
  throw new Failure(`--device: expected one of ${DEVICES.join(", ")}, found ${device}`);
}

/** @param {string} given */
function readSeconds(given) {
  const seconds = /^\d{1,5}$/.test(given) ? Number(given) : Number.NaN;
  if (seconds <= DAY) return seconds;
  throw new Failure(`--checkpoint-seconds: expected a whole number from 0 to ${DAY}, found ${given}`);
}

/** @param {Record<string, string | boolean | undefined>} values @param {string} given @param {Partial<Settings>} anew @returns {Given} */
function readResumed(values, given, anew) {
  const refused = Object.keys(values).find((name) => !ANEW.includes(name));
  if (refused) {
    throw new Failure(
      `--${refused}: the run in ${given} goes on with what it began with; next to --resume expected nothing but --device and --checkpoint-seconds`,
    );
  }
  const out = here(given);
  const { settings, folder, states } = readCheckpoint(out);
  return { settings: { ...settings, ...anew }, out, from: { folder, states } };
}

/** How several labels of a text are written. @param {Record<string, string | boolean | undefined>} values */
function labelsIn({ "label-columns": columns, "label-separator": separator }) {
  return {
    ...(typeof columns === "string" ? { labelColumns: columns.split(",").map((name) => name.trim()) } : {}),
    ...(typeof separator === "string" ? { labelSeparator: separator } : {}),
  };
}

/** @typedef {import("./finetune-checkpoint.mjs").Settings} Settings */
/** @typedef {{ settings: Settings, out: string, from?: { folder: string, states: string[] } }} Given */

/**
 * The settings of a run, where its result goes and, if it was cut off before, the states that it can go on from.
 * @param {string[]} args
 * @returns {Given | "help"}
 */
export function readArguments(args) {
  let values;
  try {
    const text = /** @type {const} */ ({ type: "string" });
    ({ values } = parseArgs({
      args,
      options: {
        task: text,
        train: text,
        test: text,
        model: text,
        "hub-url": text,
        "base-name": text,
        device: text,
        seed: text,
        seeds: text,
        options: text,
        prompts: text,
        export: text,
        storage: text,
        out: text,
        encoding: text,
        "text-column": text,
        "text-pair-column": text,
        "label-columns": text,
        "label-separator": text,
        "skip-bad": { type: "boolean" },
        "checkpoint-seconds": text,
        resume: text,
        help: { type: "boolean", short: "h" },
      },
    }));
  } catch (error) {
    throw new Failure(`${/** @type {Error} */ (error).message.split("\n")[0]}; usage: ${USAGE}`);
  }
  if (values.help) return "help";
  checkDevice(values.device);
  const every = values["checkpoint-seconds"];
  const checkpointSeconds = every === undefined ? CHECKPOINT_SECONDS : readSeconds(every);
  if (values.resume !== undefined) {
    return readResumed(values, values.resume, {
      ...(values.device === undefined ? {} : { device: values.device }),
      ...(every === undefined ? {} : { checkpointSeconds }),
    });
  }
  const { task = "classification", device = "auto", seed, seeds, out, storage = "f32" } = values;
  if (!out) throw new Failure(`--out is missing; usage: ${USAGE}`);
  const builtIn = Object.hasOwn(BUILT_IN, task) ? BUILT_IN[task] : undefined;
  if (!builtIn) throw new Failure(`--task: expected one of ${Object.keys(BUILT_IN).join(", ")}, found ${task}`);
  const language = task === "causal-lm";
  const misplaced = (language ? CLASSIFIER_ONLY : LANGUAGE_ONLY).find((name) => values[name] !== undefined);
  if (misplaced) throw new Failure(`--${misplaced}: it needs --task ${language ? "classification" : "causal-lm"}`);
  if (!STORAGES.includes(storage)) {
    throw new Failure(`--storage: expected one of ${STORAGES.join(", ")}, found ${storage}`);
  }
  const options = values.options === undefined ? {} : readOptions(values.options);
  const exports = readExports(task, values.export, options.method, storage);
  if (seed !== undefined && !/^\d{1,15}$/.test(seed)) {
    throw new Failure(`--seed: expected a whole number of at most 15 digits, found ${seed}`);
  }
  if (seeds !== undefined && !/^[1-9]\d?$/.test(seeds)) {
    throw new Failure(`--seeds: expected a whole number from 1 to 99, found ${seeds}`);
  }
  if (values["hub-url"] !== undefined && (values.model === undefined || existsSync(here(values.model)))) {
    throw new Failure("--hub-url: expected a repository's name in --model, which is what it looks up");
  }
  if (values["base-name"]?.trim() === "") throw new Failure("--base-name: expected a name, found none");
  const { encoding, "skip-bad": skipBad = false } = values;
  const columns = { textColumn: values["text-column"], textPairColumn: values["text-pair-column"] };
  if (encoding !== undefined && !ENCODINGS.includes(encoding)) {
    throw new Failure(`--encoding: expected one of ${ENCODINGS.join(", ")}, found ${encoding}`);
  }
  const settings = {
    task,
    storage,
    exports,
    prompts: values.prompts === undefined ? undefined : readable("prompts", values.prompts),
    train: values.train === undefined ? builtIn : readable("train", values.train),
    test: values.test === undefined ? undefined : readable("test", values.test),
    model: values.model === undefined ? undefined : readModel(values.model, values["hub-url"]),
    baseName: values["base-name"],
    device,
    options: {
      ...options,
      ...(seed === undefined ? {} : { seed: Number(seed) }),
      ...(seeds === undefined ? {} : { seeds: Number(seeds) }),
      ...(skipBad ? { skipBad } : {}),
    },
    // what was not named is left to the reader
    parse: Object.fromEntries(
      Object.entries({ encoding, ...columns, ...labelsIn(values), skipBad: skipBad || undefined }).filter(
        ([, value]) => value !== undefined,
      ),
    ),
    checkpointSeconds,
  };
  return { settings, out: here(out) };
}
