/**
 * Scores a tuned model, which a run has written to a folder, on a file of rows.
 */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { DeviceChoice } from "../device.js";
import { WebtuneError } from "../errors.js";
// What makes the package run in Node.
import "../node/index.js";
import type { ModelSource } from "../sources/settle.js";
import type { WeightStorage } from "../types/engine.js";
import type { TaskName } from "../worker/messages.js";
import {
  checkDevice,
  PARSE_OPTIONS,
  readable,
  readModel,
  readOptions,
  readParse,
  readStorage,
  readTask,
} from "./arguments.js";
import type { Around, TaskWord } from "./around.js";
import type { ParseChoice, RunOptions } from "./checkpoint.js";
import { CLASSIFICATION, type Desk, LANGUAGE, type Models } from "./desks.js";
import { Failure, say } from "./failure.js";
import { readFolder } from "./files.js";
import { inFlags, sourceOf } from "./finetune.js";
import { accuracyOf, measuresOf, sayEvaluation, sayLikelihoods, scoresOf, writePredictions } from "./reports.js";

const help = ({ typed }: Around): string => `${typed("evaluate")} --adapter DIR --test FILE [options]

  --adapter DIR                       what a run has written: its folder adapter, or merged for a classifier's full fine-tuning
  --test FILE                         rows that are answered
  --task classification|causal-lm     default: classification
  --model DIR|FILE.gguf|repository    the base model; default: the repository that the adapter names
  --hub-url URL                       where repositories are looked up
  --device auto|cpu|webgpu            default: auto
  --storage f32|f16|int8|int4         of the frozen weights; default: f32
  --options JSON|FILE                 those of a language model's run, which say what of a row is cut and learnt
  --encoding E, --text-column NAME, --text-pair-column NAME, --label-columns A,B,..., --label-separator S, --skip-bad
                                      how rows are read, as of ${typed("finetune")}
  --out DIR                           where metrics.json and, of a classifier, predictions.jsonl go; default: the measures are printed
`;

const text = { type: "string" } as const;
const OPTIONS = {
  adapter: text,
  test: text,
  task: text,
  model: text,
  "hub-url": text,
  device: text,
  storage: text,
  options: text,
  out: text,
  ...PARSE_OPTIONS,
  help: { type: "boolean", short: "h" },
} as const;

interface Asked {
  adapter: string;
  test: string;
  task: TaskWord;
  source: ModelSource;
  device: DeviceChoice;
  storage: WeightStorage;
  parse: ParseChoice;
  options: RunOptions;
  out: string | undefined;
}

async function readArguments(args: readonly string[], around: Around): Promise<Asked | "help"> {
  const from = (path: string): string => resolve(around.from, path);
  let values: ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];
  try {
    ({ values } = parseArgs({ args: [...args], options: OPTIONS }));
  } catch (error) {
    throw new Failure(
      `${(error as Error).message.split("\n")[0]}; ${around.typed("evaluate")} --help lists the options`,
    );
  }
  if (values.help) return "help";
  const { adapter: folder, device = "auto" } = values;
  if (folder === undefined) throw new Failure("--adapter is missing: expected the folder that a run has written");
  if (values.test === undefined) throw new Failure("--test is missing: expected a file of rows");
  checkDevice(device);
  const adapter = from(folder);
  if (!statSync(adapter, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Failure(`--adapter: there is no folder ${folder}`);
  }
  const task = readTask(values.task);
  if (task === "classification" && values.options !== undefined) {
    throw new Failure("--options: it needs --task causal-lm, whose options say what of a row is learnt");
  }
  const named = values.model === undefined ? undefined : readModel(values.model, values["hub-url"], from);
  return {
    adapter,
    test: readable("test", values.test, from),
    task,
    source: named ? sourceOf(named) : await baseOf(configOf(adapter), task, around),
    device,
    storage: readStorage(values.storage),
    parse: readParse(values),
    options: values.options === undefined ? {} : readOptions(values.options, from),
    out: values.out === undefined ? undefined : from(values.out),
  };
}

function configOf(adapter: string): string | undefined {
  const file = join(adapter, "adapter_config.json");
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

/** The base model that an adapter names. @param config Its adapter_config.json, if it has one. */
export async function baseOf(config: string | undefined, task: TaskWord, around: Around): Promise<ModelSource> {
  if (config === undefined) return around.defaultModel(task);
  let name: unknown;
  try {
    name = JSON.parse(config).base_model_name_or_path;
  } catch (error) {
    throw new Failure(`--adapter: adapter_config.json: expected JSON (${(error as Error).message})`);
  }
  if (typeof name === "string" && /^[\w-][\w.-]*\/[\w.-]+$/.test(name)) {
    return name === around.defaults[task] ? around.defaultModel(task) : { repository: name };
  }
  throw new Failure(
    `--model is missing: the adapter names its base model ${JSON.stringify(name)}, which is no repository`,
  );
}

/** The scores of the classifier alone, where it came without the baselines that it could be compared with. */
async function scoreClassifier(model: Models["classify"], rows: Parameters<Models["classify"]["evaluate"]>[0]) {
  try {
    const evaluation = await model.evaluate(rows);
    return { evaluation, rows: evaluation.rows, metrics: measuresOf(evaluation) };
  } catch (error) {
    if (!(error instanceof WebtuneError) || error.code !== "invalidState") throw error;
    const scores = await model.score(rows);
    return { tuned: scores.tuned, rows: scores.rows, metrics: { tuned: scoresOf(scores.tuned) } };
  }
}

/** Loads the tuned model, and gives the rows that it is asked about. */
async function open<Task extends TaskName>(desk: Desk<Task>, asked: Asked) {
  const { adapter, device, storage, source } = asked;
  const rows = await desk.read(asked.test, asked.parse);
  const model = await desk.load(source, { device, storage });
  try {
    say(`${model.model.name}: ${model.model.parameters} parameters as ${model.model.storage}. ${model.device.reason}`);
    await model.import(readFolder(adapter));
    desk.tell({ type: "testing", rows: rows.length });
    return { rows, model };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

async function evaluateClassifier(asked: Asked): Promise<object> {
  const { rows, model } = await open(CLASSIFICATION, asked);
  try {
    const found = await scoreClassifier(model, rows);
    if (found.evaluation) sayEvaluation(found.evaluation, "test rows");
    else say(accuracyOf(found.tuned, "test rows", ""));
    if (asked.out !== undefined) writePredictions(asked.out, found.rows);
    return { device: model.device.device, ...found.metrics };
  } finally {
    model.dispose();
  }
}

async function evaluateLanguage(asked: Asked): Promise<object> {
  const { rows, model } = await open(LANGUAGE, asked);
  try {
    const found = await LANGUAGE.test(model, rows, asked.options, basename(asked.test));
    sayLikelihoods(found);
    return { device: model.device.device, ...found };
  } finally {
    model.dispose();
  }
}

export async function evaluate(args: readonly string[], around: Around): Promise<void> {
  const asked = await readArguments(args, around);
  if (asked === "help") {
    process.stdout.write(help(around));
    return;
  }
  if (asked.out !== undefined) mkdirSync(asked.out, { recursive: true });
  let metrics: object;
  try {
    metrics = await (asked.task === "classification" ? evaluateClassifier : evaluateLanguage)(asked);
  } catch (error) {
    throw inFlags(error);
  }
  const json = `${JSON.stringify(metrics, null, 2)}\n`;
  if (asked.out === undefined) process.stdout.write(json);
  else writeFileSync(join(asked.out, "metrics.json"), json);
}
