/** The commands by their names, and what happens when one was typed. */
import { readFileSync } from "node:fs";
import type { Around } from "./around.js";
import { Failure, linesOf } from "./failure.js";

interface Command {
  /** What it does, for a list of all. */
  words: string;
  run(args: readonly string[], around: Around): Promise<void>;
}

/** Each is loaded when it is asked for. */
const COMMANDS: Readonly<Record<string, Command>> = {
  finetune: {
    words: "tunes a model on a file of rows; writes the result and its measures to a folder",
    run: async (args, around) => (await import("./finetune.js")).finetune(args, around),
  },
  classify: {
    words: "labels a file of texts, of any size, with such a result of a classifier",
    run: async (args, around) => (await import("./classify.js")).classify(args, around),
  },
  evaluate: {
    words: "scores such a result on a file of rows",
    run: async (args, around) => (await import("./evaluate.js")).evaluate(args, around),
  },
};

function help({ typed }: Around): string {
  const width = Math.max(...Object.keys(COMMANDS).map(({ length }) => length));
  const lines = Object.entries(COMMANDS).map(([name, { words }]) => `  ${name.padEnd(width)}  ${words}\n`);
  return `${typed("COMMAND")} [options]\n\n${lines.join("")}\n${typed("COMMAND")} --help lists a command's options.\n`;
}

function version(): string {
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
}

async function start([name, ...args]: readonly string[], around: Around): Promise<void> {
  if (name === "--help" || name === "-h") {
    process.stdout.write(help(around));
    return;
  }
  if (name === "--version") {
    process.stdout.write(`${version()}\n`);
    return;
  }
  const names = Object.keys(COMMANDS).join(", ");
  const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) throw new Failure(`expected one of ${names}, found ${name ?? "none"}; try ${around.typed("--help")}`);
  await command.run(args, around);
}

/** Runs what was typed, and turns a failure into one line. Gives the exit code. */
export async function main(args: readonly string[], around: Around): Promise<0 | 1> {
  try {
    await start(args, around);
    return 0;
  } catch (error) {
    process.stderr.write(`webtune: ${linesOf(error)}\n`);
    return 1;
  }
}
