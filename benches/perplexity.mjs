/**
 * Tunes a language model on three kinds of rows, natively, and prints the perplexity of the rows that judge: of the untuned model, with examples in
 * its prompt, and tuned. docs/figures.md quotes the table.
 *
 *   npm run bench:perplexity -- --model FILE [--instructions FILE] [--questions FILE] [--seeds 0,1,2] [--options JSON] [--out DIR]
 *
 * The page's built-in conversations are always among them, half of which judge. `--instructions` takes self-instruct's seed_tasks.jsonl, of which the
 * short ones are kept; `--questions` takes lines of `text` and `label` with TREC-6's labels, of which the first are kept. Neither is in this repository.
 * The seed also splits the rows. `RAYON_NUM_THREADS=1` keeps it to one thread. `--options` go over the defaults. What each seed found is kept in the
 * folder `--out`; what is there is read and not run again.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildEnv, root, targetDir } from "../scripts/cache.mjs";
import { Failure, say, script, show } from "../scripts/run.mjs";

/** Characters of an instruction with its input and output, at most. */
const SHORT = 160;
/** Questions that are kept. */
const QUESTIONS = 60;
/** What TREC-6's labels stand for. @type {Record<string, string>} */
const ANSWERS = {
  ABBR: "an abbreviation",
  DESC: "a description",
  ENTY: "a thing",
  HUM: "a person",
  LOC: "a place",
  NUM: "a number",
};

/** @typedef {{ name: string, options: Record<string, unknown>, rows: () => unknown[] }} Kind */
/**
 * @typedef {{ seed: number, trainRows: number, judges: number, judgedTokens: number, before: number, fewShot: number | null, after: number,
 *   keptEpoch: number, trainedTokens: number, seconds: number }} Found
 */

/** @param {string} file @returns {any[]} */
const lines = (file) => {
  const filled = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.trim());
  return filled.map((line) => JSON.parse(line));
};

/** Tasks whose first instance is short. @param {string} file */
function instructions(file) {
  const rows = lines(file).map(({ instruction, instances: [{ input, output }] }) => ({ instruction, input, output }));
  return rows.filter(({ instruction, input, output }) => (instruction + input + output).length <= SHORT);
}

/** What kind of answer a question asks for, as a text to be completed. @param {string} file */
function questions(file) {
  return lines(file)
    .slice(0, QUESTIONS)
    .map(({ text, label }) => {
      const answer = ANSWERS[label];
      if (!answer) throw new Failure(`${file}: expected TREC-6's labels, found ${JSON.stringify(label)}`);
      return { prompt: `Question: ${text}\nIt asks for`, completion: ` ${answer}` };
    });
}

/** Runs that are still to do, one line of output each. @param {string[]} args @param {(found: Found) => void} each */
function measure(args, each) {
  const program = join(
    targetDir,
    "release",
    "examples",
    process.platform === "win32" ? "perplexity.exe" : "perplexity",
  );
  return new Promise((done, fail) => {
    const child = spawn(program, args, { cwd: root, env: buildEnv(), stdio: ["ignore", "pipe", "inherit"] });
    let rest = "";
    child.stdout.on("data", (chunk) => {
      const parts = `${rest}${chunk}`.split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) each(JSON.parse(part));
    });
    child.once("error", (error) => fail(new Failure(`${program} could not be started: ${error.message}`)));
    child.once("close", (code) =>
      code === 0 ? done(undefined) : fail(new Failure(`${program} ended with code ${code}`)),
    );
  });
}

const mean = (/** @type {number[]} */ values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The mean, and the least and the most. @param {number[]} values */
function spread(values) {
  const shown = [mean(values), Math.min(...values), Math.max(...values)].map((value) =>
    value.toFixed(value < 10 ? 2 : 1),
  );
  return `${shown[0]} (${shown[1]} to ${shown[2]})`;
}

/** @param {string} model @param {string} name @param {Found[]} runs */
function row(model, name, runs) {
  const shown = runs.flatMap(({ fewShot }) => (fewShot === null ? [] : [fewShot]));
  const cells = [
    model,
    name,
    runs.map(({ trainRows, judges }) => `${trainRows} / ${judges}`)[0],
    spread(runs.map(({ before }) => before)),
    shown.length === 0 ? "" : spread(shown),
    spread(runs.map(({ after }) => after)),
    runs.map(({ keptEpoch }) => keptEpoch).join(", "),
    mean(runs.map(({ trainedTokens }) => trainedTokens)).toFixed(0),
    mean(runs.map(({ seconds }) => seconds)).toFixed(0),
  ];
  return `| ${cells.join(" | ")} |`;
}

script(import.meta.url, async () => {
  const text = /** @type {const} */ ({ type: "string" });
  const { values } = parseArgs({
    options: { model: text, instructions: text, questions: text, seeds: text, options: text, out: text },
  });
  if (!values.model) throw new Failure("--model: expected a GGUF file or the folder of a language model");
  const here = (/** @type {string} */ path) => resolve(process.env.INIT_CWD ?? process.cwd(), path);
  const model = here(values.model);
  const given = JSON.parse(values.options ?? "{}");
  const seeds = (values.seeds ?? "0,1,2").split(",").map(Number);
  const out = values.out === undefined ? join(tmpdir(), "webtune-bench", "perplexity") : here(values.out);
  mkdirSync(out, { recursive: true });

  /** @type {Kind[]} */
  const kinds = [
    {
      name: "conversations",
      options: { validationSplit: 0.5 },
      rows: () => lines(join(root, "www/app/examples/bakery-chats.jsonl")),
    },
  ];
  const { instructions: tasks, questions: asked } = values;
  if (tasks)
    kinds.push({ name: "instructions", options: { validationSplit: 0.46 }, rows: () => instructions(here(tasks)) });
  if (asked) kinds.push({ name: "questions", options: { validationSplit: 0.4 }, rows: () => questions(here(asked)) });

  const table = [];
  for (const { name, options, rows } of kinds) {
    const file = join(out, `${name}.jsonl`);
    writeFileSync(
      file,
      rows()
        .map((one) => `${JSON.stringify(one)}\n`)
        .join(""),
    );
    const label = `${basename(model)}-${name}${values.options ? `-${values.options.replace(/[^\w.]+/g, "-")}` : ""}`;
    const place = (/** @type {number} */ seed) => join(out, `${label}-${seed}.json`);
    const left = seeds.filter((seed) => !existsSync(place(seed))).map(String);
    if (left.length > 0) {
      await show("cargo", ["build", "--release", "--example", "perplexity"]);
      const all = JSON.stringify({ sampleTokens: 0, ...options, ...given });
      await measure([model, file, all, ...left], (found) => {
        writeFileSync(place(found.seed), `${JSON.stringify(found, null, 2)}\n`);
        say(`${label}, seed ${found.seed}: ${found.before.toFixed(1)} to ${found.after.toFixed(1)}`);
      });
    }
    const runs = seeds.map((seed) => JSON.parse(readFileSync(place(seed), "utf8")));
    table.push(row(basename(model), name, runs));
  }
  process.stdout.write(
    `${[
      "| model | rows | train / judge | untuned | examples in the prompt | tuned | kept epoch | tokens trained on | seconds |",
      "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
      ...table,
    ].join("\n")}\n`,
  );
});
