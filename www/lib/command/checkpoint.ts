/**
 * Keeps the state of a run that goes on in a folder next to its results, and finds it again for `--resume`.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { DeviceChoice } from "../device.js";
import type { ClassifyOptions, ExportFormat, LanguageOptions, ParseOptions, WeightStorage } from "../types/engine.js";
import type { WorkerChoice } from "../worker/cores.js";
import type { TaskWord } from "./around.js";
import { Failure, say } from "./failure.js";

/** Raised with every change of what run.json holds. */
const VERSION = 2;
const RUN = "run.json";
const STATE = /^state-(\d+)\.bin$/;
/** Ends the names of files that are being written: a kill leaves such a one, and what was there before stays whole. */
const PARTIAL = ".partial";
/** Of two, one is whole whatever happens to the other. */
const KEPT = 2;

/** Where a model is: paths are absolute. */
export type ModelChoice =
  | { folder: string }
  | { gguf: string }
  | { repository: string; file?: string; hubUrl?: string };

/** What a run takes, of either task; the engine checks it. */
export type RunOptions = ClassifyOptions & LanguageOptions;

/** How files of rows are read. */
export type ParseChoice = Pick<
  ParseOptions,
  "encoding" | "skipBad" | "textColumn" | "textPairColumn" | "labelColumns" | "labelSeparator"
>;

/** What a run was asked for; paths are absolute. */
export interface Settings {
  task: TaskWord;
  storage: WeightStorage;
  exports?: ExportFormat[] | undefined;
  prompts?: string | undefined;
  train: string;
  test?: string | undefined;
  model?: ModelChoice | undefined;
  baseName?: string | undefined;
  device: DeviceChoice;
  workers?: WorkerChoice | undefined;
  options: RunOptions;
  parse?: ParseChoice | undefined;
  checkpointSeconds: number;
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isModel: Check = (value) => isObject(value) && [value.folder, value.gguf, value.repository].some(isText);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

const FIELDS: Readonly<Record<keyof Settings, Check>> = {
  task: (value) => value === "classification" || value === "causal-lm",
  storage: isText,
  exports: optional((value) => Array.isArray(value) && value.every(isText)),
  prompts: optional(isText),
  train: isText,
  test: optional(isText),
  model: optional(isModel),
  baseName: optional(isText),
  device: isText,
  workers: optional((value) => value === "auto" || Number.isInteger(value)),
  options: isObject,
  parse: optional(isObject),
  checkpointSeconds: (value) => Number.isFinite(value) && Number(value) >= 0,
};

const folderOf = (out: string): string => join(out, "checkpoint");

/** Names of the states in a folder, the newest first. */
function statesIn(folder: string): { name: string; number: number }[] {
  if (!existsSync(folder)) return [];
  const numbered = readdirSync(folder).flatMap((name) => {
    const number = STATE.exec(name)?.[1];
    return number === undefined ? [] : [{ name, number: Number(number) }];
  });
  return numbered.sort((a, b) => b.number - a.number);
}

/** Whether a run was cut off here. */
export const holdsCheckpoint = (out: string): boolean => statesIn(folderOf(out)).length > 0;

/** The settings of a run that was cut off, and the names of its states, the newest first. */
export function readCheckpoint(out: string): { settings: Settings; folder: string; states: string[] } {
  const folder = folderOf(out);
  const settings = readRun(join(folder, RUN));
  const states = statesIn(folder).map(({ name }) => name);
  if (states.length === 0) throw new Failure(`--resume: ${folder}: expected a file state-N.bin, found none`);
  return { settings, folder, states };
}

function readRun(file: string): Settings {
  const refuse = (why: string): Failure => new Failure(`--resume: ${file}: ${why}`);
  if (!existsSync(file)) throw refuse("there is no such file, so that there is no run to go on with");
  let run: unknown;
  try {
    run = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw refuse(`it is broken: ${(error as Error).message}`);
  }
  if (!isObject(run)) throw refuse("it is broken: expected a JSON object");
  if (run.version !== VERSION) {
    throw refuse(
      `expected version ${VERSION}, found ${JSON.stringify(run.version)}: another version of webtune wrote it`,
    );
  }
  const names = Object.keys(FIELDS) as (keyof Settings)[];
  for (const name of names) {
    if (!FIELDS[name](run[name])) throw refuse(`it is broken: ${name} is ${JSON.stringify(run[name])}`);
  }
  const settings = Object.fromEntries(names.map((name) => [name, run[name]])) as unknown as Settings;
  for (const name of ["train", "test", "prompts"] as const) {
    const path = settings[name];
    if (path !== undefined && !statSync(path, { throwIfNoEntry: false })?.isFile()) {
      throw refuse(`its run reads ${name} from ${path}, and there is no such file`);
    }
  }
  const { model } = settings;
  if (model && "folder" in model && !existsSync(join(model.folder, "config.json"))) {
    throw refuse(`its run reads the model from ${model.folder}, and there is no config.json in it`);
  }
  if (model && "gguf" in model && !existsSync(model.gguf)) {
    throw refuse(`its run reads the model from ${model.gguf}, and there is no such file`);
  }
  return settings;
}

/**
 * Puts states into the folder of a run. Nothing in it changes before the first one is there: until then an earlier run may still be
 * gone on with.
 */
export class CheckpointKeeper {
  /** Whether this run has written a state. */
  written = false;
  readonly #folder: string;
  readonly #settings: Settings;
  readonly #fresh: boolean;
  #refused: string[] = [];
  #closed = false;
  #warned = false;

  /** @param fresh A run from its beginning, rather than one that goes on. */
  constructor(out: string, settings: Settings, fresh: boolean) {
    this.#folder = folderOf(out);
    this.#settings = settings;
    this.#fresh = fresh;
  }

  /** States that nothing can go on from; they make room for the next one. */
  refuse(names: readonly string[]): void {
    this.#refused = [...names];
  }

  /** Once this is done the run can be gone on with from this state. */
  keep(bytes: Uint8Array): void {
    if (this.#closed) return;
    try {
      mkdirSync(this.#folder, { recursive: true });
      this.#write(bytes);
      if (this.#fresh && !this.written) this.#begin();
      for (const name of this.#refused.splice(0)) rmSync(join(this.#folder, name), { force: true });
      const next = (statesIn(this.#folder)[0]?.number ?? 0) + 1;
      renameSync(this.#partial, join(this.#folder, `state-${next}.bin`));
      this.written = true;
      for (const { name } of statesIn(this.#folder).slice(KEPT)) rmSync(join(this.#folder, name));
    } catch (error) {
      // A full disk is no reason to end a run.
      if (!this.#warned) say(`note: no checkpoint could be written (${(error as Error).message})`);
      this.#warned = true;
    }
  }

  /** The run is over and written: nothing is left to go on with. */
  remove(): void {
    this.close();
    if (!existsSync(this.#folder)) return;
    this.#clear();
    for (const name of [RUN, `${RUN}${PARTIAL}`]) rmSync(join(this.#folder, name), { force: true });
    rmSync(this.#partial, { force: true });
    // Whatever else is in the folder is a person's own.
    if (readdirSync(this.#folder).length === 0) rmdirSync(this.#folder);
  }

  /** Takes nothing more. */
  close(): void {
    this.#closed = true;
  }

  get #partial(): string {
    return join(this.#folder, `state${PARTIAL}`);
  }

  #write(bytes: Uint8Array): void {
    const file = openSync(this.#partial, "w");
    try {
      // A call may write less than it was given.
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
      // A name that outlives its contents, after a power cut, would be a damaged state.
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  /** Puts this run's settings in place of an earlier run's. */
  #begin(): void {
    // First the states: with settings of another run they would be a run that never was.
    this.#clear();
    const file = join(this.#folder, RUN);
    writeFileSync(`${file}${PARTIAL}`, `${JSON.stringify({ version: VERSION, ...this.#settings }, null, 2)}\n`);
    renameSync(`${file}${PARTIAL}`, file);
  }

  #clear(): void {
    for (const { name } of statesIn(this.#folder)) rmSync(join(this.#folder, name));
  }
}
