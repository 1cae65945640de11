/**
 * One run of either task on files: everything is written as soon as it is known, so that a later failure takes nothing away.
 */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { WebtuneError } from "../errors.js";
import { LanguageModel } from "../language.js";
import type { ModelSource } from "../sources/settle.js";
import type { ExportOptions, Tuner } from "../tuner.js";
import type { Prompt } from "../types/engine.js";
import type { TaskName, Tasks } from "../worker/messages.js";
import type { CheckpointKeeper, RunOptions, Settings } from "./checkpoint.js";
import type { Desk, Models } from "./desks.js";
import { Failure, say } from "./failure.js";
import { folderWriter } from "./files.js";
import type { EventOf, Measured, OwnEvent } from "./reports.js";

/** Tokens of a prompt's completion. */
const MAX_NEW_TOKENS = 64;

export interface Job {
  settings: Settings;
  source: ModelSource;
  prompts: readonly Prompt[];
  out: string;
  keeper: CheckpointKeeper;
  /** The states of the same run that it may go on from, the newest first. */
  from: { folder: string; states: readonly string[] } | undefined;
}

/** What a model wrote before it was tuned. */
interface Begun {
  prompt: Prompt;
  before: string;
}

/** Trains, tests, exports. */
export async function runJob<Task extends TaskName>(desk: Desk<Task>, job: Job): Promise<Measured<Task>> {
  const { settings, out } = job;
  const { parse, train, test, device, workers, storage, baseName, exports } = settings;
  const rows = await desk.read(train, parse);
  const tests = test === undefined ? undefined : await desk.read(test, parse);
  if (tests) desk.checkTest(rows, tests);
  const model = await desk.load(job.source, { device, workers, storage });
  try {
    desk.tell({ type: "loaded", model: model.model, device: model.device, base: model.base, baseName });
    // Before training, so that a prompt that cannot be continued is reported before any work is done.
    const begun = await beforeTuning(model, job.prompts);
    const measured = await measure(desk, model, rows, tests, job);
    const formats = exports ? [...desk.always, ...exports] : [undefined];
    for (const format of formats) {
      desk.tell({ type: "exporting", format });
      const folder = join(out, (format && desk.folders[format]) ?? "adapter");
      await exportTo(model, { format, baseName }, folder);
    }
    for (const completion of begun) await complete(model, completion, join(out, "completions.jsonl"));
    return measured;
  } finally {
    model.dispose();
  }
}

/** Whatever fails after this, the run's measures are kept. */
async function measure<Task extends TaskName>(
  desk: Desk<Task>,
  model: Models[Task],
  rows: readonly Tasks[Task]["row"][],
  tests: readonly Tasks[Task]["row"][] | undefined,
  job: Job,
): Promise<Measured<Task>> {
  const { settings, out } = job;
  const { train, test = "", options } = settings;
  const { model: info, device } = model;
  const recorder = desk.recorder({ model: info.name, device: device.device, data: basename(train) });
  const begin = performance.now();
  const steps = { count: 0, tokens: 0, ms: 0 };
  let started: EventOf<Task, "started"> | undefined;
  let finished: EventOf<Task, "finished"> | undefined;
  for await (const event of eventsOf<Task>(model as unknown as Tuner<Task>, rows, job)) {
    recorder.take(event);
    if (event.type === "started") started = event as EventOf<Task, "started">;
    if (event.type === "finished") finished = event as EventOf<Task, "finished">;
    else desk.tell(event);
    if (event.type !== "step") continue;
    steps.count += 1;
    steps.tokens += event.tokens;
    steps.ms += event.ms;
  }
  if (!started || !finished) throw new Failure("the run ended without its last event");
  const seconds = (performance.now() - begin) / 1000;
  if (tests) desk.tell({ type: "testing", rows: tests.length } satisfies OwnEvent);
  const tested = tests && (await desk.test(model, tests, options, basename(test)));
  const peakWasmBytes = await model.memoryBytes();
  const measured = { model: info, device, seconds, steps, started, finished, tested, peakWasmBytes };
  writeFileSync(join(out, "metrics.json"), `${JSON.stringify(recorder.metrics(measured), null, 2)}\n`);
  desk.write(out, measured);
  if (job.prompts.length > 0) writeFileSync(join(out, "completions.jsonl"), "");
  return measured;
}

/** Options that hold texts, which no state has. */
const textsIn = ({ labelDescriptions, samplePrompts }: RunOptions): RunOptions => ({
  ...(labelDescriptions === undefined ? {} : { labelDescriptions }),
  ...(samplePrompts === undefined ? {} : { samplePrompts }),
});

/** The events of a run from its beginning, or from where it was cut off. */
async function* eventsOf<Task extends TaskName>(
  model: Tuner<Task>,
  rows: readonly Tasks[Task]["row"][],
  { settings, keeper, from }: Job,
): AsyncGenerator<Tasks[Task]["event"], void, undefined> {
  const { options, train, checkpointSeconds } = settings;
  const checkpoint = { everySeconds: checkpointSeconds, write: (bytes: Uint8Array) => keeper.keep(bytes) };
  const controls = { file: basename(train), checkpoint };
  if (!from) {
    yield* model.train(rows, { ...options, ...controls });
    return;
  }
  const refused: { name: string; message: string }[] = [];
  for (const name of from.states) {
    const run = model.resume(readFileSync(join(from.folder, name)), rows, { ...textsIn(options), ...controls });
    let first: IteratorResult<Tasks[Task]["event"], undefined>;
    try {
      first = await run.next();
    } catch (error) {
      // Whether it is this state alone, or the rows or the model, shows in the other one.
      if (!(error instanceof WebtuneError) || error.code !== "invalidFile") throw error;
      refused.push({ name, message: error.message });
      continue;
    }
    keeper.refuse(refused.map((one) => one.name));
    for (const one of refused) say(`${one.name} is refused (${one.message}), the one before it is taken`);
    say(`going on from ${name}; what was reported before it comes again`);
    if (first.done) return;
    yield first.value;
    yield* run;
    return;
  }
  const reasons = new Set(refused.map(({ message }) => message));
  const each = refused.map(({ name, message }) => `${name}: ${message}`);
  throw new WebtuneError("invalidFile", reasons.size === 1 ? [...reasons].join() : each.join("; "));
}

async function beforeTuning(model: unknown, prompts: readonly Prompt[]): Promise<Begun[]> {
  const begun: Begun[] = [];
  if (!(model instanceof LanguageModel)) return begun;
  for (const prompt of prompts) {
    const { text } = await model.generate(prompt, { which: "baseline", maxNewTokens: MAX_NEW_TOKENS });
    begun.push({ prompt, before: text });
  }
  return begun;
}

/** Greedy texts before and after tuning. */
async function complete(model: unknown, { prompt, before }: Begun, file: string): Promise<void> {
  if (!(model instanceof LanguageModel)) return;
  const { text: after } = await model.generate(prompt, { which: "tuned", maxNewTokens: MAX_NEW_TOKENS });
  const logits = [...(await model.nextLogits(prompt, { which: "tuned" }))];
  const given = typeof prompt === "string" ? { prompt } : { messages: prompt };
  appendFileSync(file, `${JSON.stringify({ ...given, before, after, logits })}\n`);
}

async function exportTo(model: Models[TaskName], options: ExportOptions, folder: string): Promise<void> {
  const write = folderWriter(folder);
  let path = "";
  let at = 0;
  for await (const piece of model.exportPieces(options)) {
    if (piece instanceof Uint8Array) {
      write(path, piece, at);
      at += piece.length;
    } else if ("open" in piece) {
      path = piece.open.path;
      at = 0;
      // Once at least: an empty file is a file too.
      write(path, new Uint8Array(0), 0);
    }
  }
}
