/**
 * Labels a file of texts, of any size, with a tuned classifier: every row with a label and its confidence beside the old columns.
 */
import { closeSync, createReadStream, openSync, statSync, writeSync } from "node:fs";
import { basename, resolve } from "node:path";
import { parseArgs } from "node:util";
import { TextClassifier } from "../classifier.js";
import type { Classified } from "../classify.js";
import { WebtuneError } from "../errors.js";
// What makes the package run in Node.
import "../node/index.js";
import type { TableRow } from "../table/rows.js";
import { openTable, type TableOptions, type TextTableReading } from "../table/table.js";
import { type WriteOptions, writeTable } from "../table/write.js";
import { readAdapter } from "./adapter.js";
import { checkDevice, ENCODINGS, readModel, readStorage } from "./arguments.js";
import type { Around } from "./around.js";
import { baseOf } from "./evaluate.js";
import { Failure, say } from "./failure.js";
import { inFlags, sourceOf } from "./finetune.js";

const FORMATS: readonly string[] = ["csv", "tsv", "labelTab", "jsonl", "lines"];
/** Rows that cannot be read and are named one by one. */
const NAMED = 20;
/** Between two lines on how far it is, in milliseconds. */
const PAUSE = 5000;

const help = ({ typed }: Around): string => `${typed("classify")} --adapter DIR|ZIP [options] INPUT OUTPUT

  INPUT                               CSV, TSV, JSON lines, or a text on each line; of any size, packed with gzip or not
  OUTPUT                              the same with two more columns: a label for each row, and its confidence from 0 to 1
  --adapter DIR|ZIP                   what was exported, or the folder that ${typed("finetune")} has written
  --model DIR|repository              the base model; default: the repository that the adapter names
  --hub-url URL                       where repositories are looked up
  --labels A,B,...                    names of the labels of an adapter that has none
  --threshold P                       a label of less confidence stays blank; default: 0
  --text-column NAME                  default: found by its name, or the longest; Column 2 where there is no header
  --text-pair-column NAME             the second text of rows that are pairs; those of a known pair are found
  --header yes|no                     whether the first row names the columns; default: found by looking
  --delimiter C                       between columns: , ; | or \\t; default: found by looking
  --format ${FORMATS.join("|")}    default: by name and content
  --encoding E                        utf-8, utf-16le, utf-16be or windows-1252
  --formulas keep|quote               old cells that a spreadsheet would run as a formula: as they were (default), or with
                                      an apostrophe before them. New cells are always safe
  --device auto|cpu|webgpu            default: auto
  --storage f32|f16|int8|int4         of the frozen weights; default: f32
`;

const text = { type: "string" } as const;
const OPTIONS = {
  adapter: text,
  model: text,
  "hub-url": text,
  labels: text,
  threshold: text,
  "text-column": text,
  "text-pair-column": text,
  header: text,
  delimiter: text,
  format: text,
  encoding: text,
  formulas: text,
  device: text,
  storage: text,
  help: { type: "boolean", short: "h" },
} as const;
type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

function read(args: readonly string[], around: Around): { values: Values; positionals: string[] } {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS });
  } catch (error) {
    const [reason] = (error as Error).message.split("\n");
    throw new Failure(`${reason}; ${around.typed("classify")} --help lists the options`);
  }
}

function among(option: string, given: string | undefined, known: readonly string[]): void {
  if (given === undefined || known.includes(given)) return;
  throw new Failure(`--${option}: expected one of ${known.join(", ")}, found ${given}`);
}

/** How the file is read; what was not named is left to the reader. */
function tableOptions(values: Values): TableOptions {
  const { header, format, encoding, delimiter } = values;
  among("header", header, ["yes", "no"]);
  among("format", format, FORMATS);
  among("encoding", encoding, ENCODINGS);
  return {
    format: format as TableOptions["format"],
    encoding: encoding as TableOptions["encoding"],
    delimiter: delimiter === "\\t" ? "\t" : delimiter,
    header: header === undefined ? undefined : header === "yes",
    textColumn: values["text-column"],
    textPairColumn: values["text-pair-column"],
  };
}

function readThreshold(given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const threshold = given.trim() === "" ? Number.NaN : Number(given);
  if (threshold >= 0 && threshold <= 1) return threshold;
  throw new Failure(`--threshold: expected a number from 0 to 1, found ${given}`);
}

function readPaths([input, output, ...more]: readonly string[], around: Around): { input: string; output: string } {
  if (input === undefined || output === undefined || more.length > 0) {
    const found = [input, output, ...more].filter((one) => one !== undefined).join(" ") || "neither";
    throw new Failure(`expected INPUT and OUTPUT, found ${found}; ${around.typed("classify")} --help`);
  }
  const paths = { input: resolve(around.from, input), output: resolve(around.from, output) };
  const found = statSync(paths.input, { throwIfNoEntry: false });
  if (!found?.isFile()) throw new Failure(`INPUT: there is no file ${input}`);
  const old = statSync(paths.output, { throwIfNoEntry: false });
  if (old && old.ino === found.ino && old.dev === found.dev) {
    throw new Failure(`OUTPUT: ${output} is the input, which would be lost while it is read; name another file`);
  }
  return paths;
}

/** Opened once there is something to write: what fails before leaves an old file as it is. */
class Output {
  #file: number | undefined;

  constructor(private readonly path: string) {}

  write(bytes: Uint8Array): void {
    try {
      this.#file ??= openSync(this.path, "w");
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at);
    } catch (error) {
      throw new Failure(`OUTPUT: ${this.path} cannot be written (${(error as Error).message})`);
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }
}

/** Counts rows by what becomes of them, and tells how far they are. */
class Tally {
  rows = 0;
  #labelled = 0;
  #unsure = 0;
  #blank = 0;
  #problems = 0;
  readonly #begun = performance.now();
  #told = this.#begun;

  async *of(answers: AsyncIterable<Classified<TableRow>>): AsyncGenerator<Classified<TableRow>, void, undefined> {
    for await (const answer of answers) {
      this.#add(answer);
      yield answer;
      if (performance.now() < this.#told + PAUSE) continue;
      this.#told = performance.now();
      say(`${this.rows} rows, ${this.#perSecond()} a second`);
    }
  }

  #add({ row, label, prediction, problem }: Classified<TableRow>): void {
    this.rows += 1;
    if (problem !== undefined) {
      this.#problems += 1;
      const line = row.line === row.row ? "" : ` (line ${row.line})`;
      if (this.#problems <= NAMED) say(`note: row ${row.row}${line} is written as it was: ${problem}`);
      if (this.#problems === NAMED + 1) say("note: more rows like that are counted, not named");
    } else if (!prediction) this.#blank += 1;
    else if (label === undefined) this.#unsure += 1;
    else this.#labelled += 1;
  }

  #perSecond(): string {
    return ((1000 * this.rows) / (performance.now() - this.#begun)).toFixed(0);
  }

  words(): string {
    const parts = [
      `${this.#labelled} labelled`,
      this.#unsure > 0 ? `${this.#unsure} under the threshold` : "",
      this.#blank > 0 ? `${this.#blank} without a text` : "",
      this.#problems > 0 ? `${this.#problems} that cannot be read` : "",
    ];
    const seconds = ((performance.now() - this.#begun) / 1000).toFixed(1);
    return `${this.rows} rows: ${parts.filter((part) => part !== "").join(", ")}; ${seconds} s, ${this.#perSecond()} rows a second`;
  }
}

function sayReading({ name, format, header, columns, textColumn, textPairColumn }: TextTableReading): void {
  const texts = [textColumn, textPairColumn].filter((one) => one !== undefined).map((one) => `"${one}"`);
  say(
    `${name}: ${format}${header ? "" : ", no header"}; columns ${columns.join(", ")}; the text is in ${texts.join(" and ")}`,
  );
}

/** What the package calls options are flags here. */
function inOwnFlags(thrown: unknown): unknown {
  const error = inFlags(thrown);
  if (!(error instanceof WebtuneError)) return error;
  const words = error.message
    .replace(/^textColumn:/, "--text-column:")
    .replace(/^textPairColumn:/, "--text-pair-column:")
    .replace("leave textPair out", "name --text-column alone")
    .replace("give the second one as textPair", "name it with --text-pair-column");
  return new WebtuneError(error.code, words, error);
}

export async function classify(args: readonly string[], around: Around): Promise<void> {
  const { values, positionals } = read(args, around);
  if (values.help) {
    process.stdout.write(help(around));
    return;
  }
  const { input, output } = readPaths(positionals, around);
  const { adapter, device = "auto", formulas, labels } = values;
  if (adapter === undefined) throw new Failure("--adapter: expected the folder or zip of an exported classifier");
  checkDevice(device);
  among("formulas", formulas, ["keep", "quote"]);
  const storage = readStorage(values.storage);
  const threshold = readThreshold(values.threshold);
  const options = tableOptions(values);
  const from = (path: string): string => resolve(around.from, path);
  const files = readAdapter(from(adapter), adapter);
  const named = values.model === undefined ? undefined : readModel(values.model, values["hub-url"], from);
  const out = new Output(output);
  try {
    // Before the model is loaded, so that a wrong column costs no wait.
    const table = await openTable(createReadStream(input), { name: basename(input), ...options });
    sayReading(table.reading);
    const config = files.find(({ path }) => path === "adapter_config.json");
    const base = config && new TextDecoder().decode(config.bytes);
    const source = named ? sourceOf(named) : await baseOf(base, "classification", around);
    const classifier = await TextClassifier.load(source, { device, storage });
    try {
      await classifier.import(files, { labels: labels?.split(",").map((name) => name.trim()) });
      say(`${classifier.model.name}: ${classifier.model.parameters} parameters. ${classifier.device.reason}`);
      const tally = new Tally();
      const answers = tally.of(classifier.classify(table.rows(), { threshold }));
      const how = { formulas: formulas as WriteOptions["formulas"] };
      for await (const bytes of writeTable(table, answers, how)) out.write(bytes);
      say(tally.words());
      say(`written to ${output}`);
    } finally {
      classifier.dispose();
      await table.close();
    }
  } catch (error) {
    throw inOwnFlags(error);
  } finally {
    out.close();
  }
}
