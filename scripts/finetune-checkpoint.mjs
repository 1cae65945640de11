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
import { Failure, say } from "./run.mjs";

/** Raised with every change of what run.json holds. */
const VERSION = 2;
const RUN = "run.json";
const STATE = /^state-(\d+)\.bin$/;
/** Ends the names of files that are being written: a kill leaves such a one, and what was there before stays whole. */
const PARTIAL = ".partial";
/** Of two, one is whole whatever happens to the other. */
const KEPT = 2;

/** @typedef {{ folder: string } | { gguf: string } | { repository: string, file?: string, hubUrl?: string }} ModelChoice */
/**
 * What a run was asked for; paths are absolute.
 * @typedef {object} Settings
 * @property {string} task
 * @property {string} storage
 * @property {string[]} [exports]
 * @property {string} [prompts]
 * @property {string} train
 * @property {string} [test]
 * @property {ModelChoice} [model]
 * @property {string} [baseName]
 * @property {string} device
 * @property {any} options
 * @property {{ encoding?: string, skipBad?: boolean, textColumn?: string, textPairColumn?: string, labelColumns?: string[], labelSeparator?: string }} [parse]
 * @property {number} checkpointSeconds
 */

const isText = (/** @type {unknown} */ value) => typeof value === "string";
const isObject = (/** @type {unknown} */ value) => typeof value === "object" && value !== null && !Array.isArray(value);
const optional = (/** @type {(value: any) => boolean} */ check) => (/** @type {any} */ value) =>
  value === undefined || check(value);

/** @type {Record<keyof Settings, (value: any) => boolean>} */
const FIELDS = {
  task: isText,
  storage: isText,
  exports: optional((value) => Array.isArray(value) && value.every(isText)),
  prompts: optional(isText),
  train: isText,
  test: optional(isText),
  model: optional((value) => isObject(value) && [value.folder, value.gguf, value.repository].some(isText)),
  baseName: optional(isText),
  device: isText,
  options: isObject,
  parse: optional(isObject),
  checkpointSeconds: (value) => Number.isFinite(value) && value >= 0,
};

const folderOf = (/** @type {string} */ out) => join(out, "checkpoint");

/** Names of the states in a folder, the newest first. @param {string} folder */
function statesIn(folder) {
  if (!existsSync(folder)) return [];
  const numbered = readdirSync(folder).flatMap((name) => {
    const number = STATE.exec(name)?.[1];
    return number === undefined ? [] : [{ name, number: Number(number) }];
  });
  return numbered.sort((a, b) => b.number - a.number);
}

/** Whether a run was cut off here. @param {string} out */
export const holdsCheckpoint = (out) => statesIn(folderOf(out)).length > 0;

/**
 * The settings of a run that was cut off, and the names of its states, the newest first.
 * @param {string} out
 * @returns {{ settings: Settings, folder: string, states: string[] }}
 */
export function readCheckpoint(out) {
  const folder = folderOf(out);
  const file = join(folder, RUN);
  const refuse = (/** @type {string} */ why) => new Failure(`--resume: ${file}: ${why}`);
  if (!existsSync(file)) throw refuse("there is no such file, so that there is no run to go on with");
  let run;
  try {
    run = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw refuse(`it is broken: ${/** @type {Error} */ (error).message}`);
  }
  if (!isObject(run)) throw refuse("it is broken: expected a JSON object");
  if (run.version !== VERSION) {
    throw refuse(
      `expected version ${VERSION}, found ${JSON.stringify(run.version)}: another version of webtune wrote it`,
    );
  }
  const names = /** @type {(keyof Settings)[]} */ (Object.keys(FIELDS));
  for (const name of names) {
    if (!FIELDS[name](run[name])) throw refuse(`it is broken: ${name} is ${JSON.stringify(run[name])}`);
  }
  for (const name of /** @type {const} */ (["train", "test", "prompts"])) {
    const path = run[name];
    if (path !== undefined && !statSync(path, { throwIfNoEntry: false })?.isFile()) {
      throw refuse(`its run reads ${name} from ${path}, and there is no such file`);
    }
  }
  const model = run.model?.folder;
  if (model !== undefined && !existsSync(join(model, "config.json"))) {
    throw refuse(`its run reads the model from ${model}, and there is no config.json in it`);
  }
  const gguf = run.model?.gguf;
  if (gguf !== undefined && !existsSync(gguf)) {
    throw refuse(`its run reads the model from ${gguf}, and there is no such file`);
  }
  const states = statesIn(folder).map(({ name }) => name);
  if (states.length === 0) throw new Failure(`--resume: ${folder}: expected a file state-N.bin, found none`);
  return {
    settings: /** @type {Settings} */ (Object.fromEntries(names.map((name) => [name, run[name]]))),
    folder,
    states,
  };
}

/**
 * Puts states into the folder of a run. Nothing in it changes before the first one is there: until then an earlier run may still be
 * gone on with.
 */
export class CheckpointKeeper {
  /** Whether this run has written a state. */
  written = false;
  #folder;
  #settings;
  #fresh;
  /** @type {string[]} */
  #refused = [];
  /** The file that is being written. @type {number | undefined} */
  #file;
  #closed = false;
  #warned = false;

  /** @param {string} out @param {Settings} settings @param {boolean} fresh a run from its beginning, rather than one that goes on */
  constructor(out, settings, fresh) {
    this.#folder = folderOf(out);
    this.#settings = settings;
    this.#fresh = fresh;
  }

  /** States that nothing can go on from; they make room for the next one. @param {string[]} names */
  refuse(names) {
    this.#refused = names;
  }

  /** Takes the portions of a state in order. @param {{ at: number, base64: string }} portion */
  take({ at, base64 }) {
    this.#try(() => {
      if (at === 0) {
        this.#drop();
        mkdirSync(this.#folder, { recursive: true });
        this.#file = openSync(this.#partial, "w");
      }
      if (this.#file === undefined) return;
      const bytes = Buffer.from(base64, "base64");
      // A call may write less than it was given.
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#file, bytes, done);
    });
  }

  /** The last portion has come: from here on the run can be gone on with from this state. */
  commit() {
    this.#try(() => {
      if (this.#file === undefined) return;
      // A name that outlives its contents, after a power cut, would be a damaged state.
      fsyncSync(this.#file);
      this.#drop();
      if (this.#fresh && !this.written) this.#begin();
      for (const name of this.#refused.splice(0)) rmSync(join(this.#folder, name), { force: true });
      const next = (statesIn(this.#folder)[0]?.number ?? 0) + 1;
      renameSync(this.#partial, join(this.#folder, `state-${next}.bin`));
      this.written = true;
      for (const { name } of statesIn(this.#folder).slice(KEPT)) rmSync(join(this.#folder, name));
    });
  }

  /** The run is over and written: nothing is left to go on with. */
  remove() {
    this.close();
    if (!existsSync(this.#folder)) return;
    this.#clear();
    for (const name of [RUN, `${RUN}${PARTIAL}`]) rmSync(join(this.#folder, name), { force: true });
    rmSync(this.#partial, { force: true });
    // Whatever else is in the folder is a person's own.
    if (readdirSync(this.#folder).length === 0) rmdirSync(this.#folder);
  }

  /** Takes nothing more. */
  close() {
    this.#closed = true;
    this.#drop();
  }

  get #partial() {
    return join(this.#folder, `state${PARTIAL}`);
  }

  /** Puts this run's settings in place of an earlier run's. */
  #begin() {
    // First the states: with settings of another run they would be a run that never was.
    this.#clear();
    const file = join(this.#folder, RUN);
    writeFileSync(`${file}${PARTIAL}`, `${JSON.stringify({ version: VERSION, ...this.#settings }, null, 2)}\n`);
    renameSync(`${file}${PARTIAL}`, file);
  }

  #clear() {
    for (const { name } of statesIn(this.#folder)) rmSync(join(this.#folder, name));
  }

  #drop() {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** A full disk is no reason to end a run. @param {() => void} work */
  #try(work) {
    if (this.#closed) return;
    try {
      work();
    } catch (error) {
      this.#drop();
      if (!this.#warned) say(`note: no checkpoint could be written (${/** @type {Error} */ (error).message})`);
      this.#warned = true;
    }
  }
}
