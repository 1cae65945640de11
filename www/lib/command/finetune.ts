/**
 * Trains on rows from disk and writes the adapter, what the model answers and the measures of the run to a folder.
 */
import { mkdirSync } from "node:fs";
import { WebtuneError } from "../errors.js";
// What makes the package run in Node.
import "../node/index.js";
import type { ModelSource } from "../sources/settle.js";
import type { TaskName } from "../worker/messages.js";
import { help, readArguments } from "./arguments.js";
import type { Around } from "./around.js";
import { CheckpointKeeper, holdsCheckpoint, type ModelChoice } from "./checkpoint.js";
import { CLASSIFICATION, type Desk, LANGUAGE } from "./desks.js";
import { Failure, say } from "./failure.js";
import { type Job, runJob } from "./job.js";
import { readPrompts } from "./prompts.js";

/** Words for a shell. */
const quoted = (path: string): string => (/^[\w./:\\-]+$/.test(path) ? path : `"${path}"`);

export function sourceOf(model: ModelChoice): ModelSource {
  if ("repository" in model) return model;
  // Its own name is the model's name.
  return { folder: "folder" in model ? model.folder : model.gguf };
}

/** What the engine calls options are flags here. */
export function inFlags(error: unknown): unknown {
  if (!(error instanceof WebtuneError)) return error;
  const words = error.message.replace("(skipBad)", "(--skip-bad)");
  return new WebtuneError(error.code, words.replace("(encoding)", "(--encoding windows-1252)"), error);
}

export async function finetune(args: readonly string[], around: Around): Promise<void> {
  const given = readArguments(args, around);
  if (given === "help") {
    process.stdout.write(help(around));
    return;
  }
  const { settings, out, from } = given;
  try {
    mkdirSync(out, { recursive: true });
  } catch (error) {
    throw new Failure(`--out: ${out} cannot be made: ${(error as Error).message}`);
  }
  const prompts = settings.prompts === undefined ? [] : readPrompts(settings.prompts);
  const resuming = `${around.typed("finetune")} --resume ${quoted(out)}`;
  if (!from && holdsCheckpoint(out)) {
    say(`note: ${out} holds a run that was cut off, which this one replaces; to go on with it instead: ${resuming}`);
  }
  const source = settings.model ? sourceOf(settings.model) : await around.defaultModel(settings.task);
  const keeper = new CheckpointKeeper(out, settings, !from);
  const job: Job = { settings, source, prompts, out, keeper, from };
  try {
    if (settings.task === "classification") await whole(CLASSIFICATION, job, resuming);
    else await whole(LANGUAGE, job, resuming);
  } catch (thrown) {
    const error = inFlags(thrown);
    const died = error instanceof WebtuneError && error.code === "crashed";
    // A checkpoint that was refused is no way on, unlike one that was there when the engine died.
    if (!keeper.written && !(from && died)) throw error;
    throw new Failure(`${(error as Error).message}; to go on from the last checkpoint: ${resuming}`);
  } finally {
    keeper.close();
  }
}

/** One run, and what is said at its end. @param resuming The command that goes on with it. */
async function whole<Task extends TaskName>(desk: Desk<Task>, job: Job, resuming: string): Promise<void> {
  const { out, keeper, from } = job;
  const measured = await runJob(desk, job);
  const { message, reason } = measured.finished as { message: string; reason: string };
  say(message);
  desk.conclude(measured);
  say(`written to ${out}`);
  // A run that an error ended has its best state written, and may still be gone on with.
  if (reason !== "failed") keeper.remove();
  else if (keeper.written || from) say(`its last checkpoint is kept; to go on from it: ${resuming}`);
}
