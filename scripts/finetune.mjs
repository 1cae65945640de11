/**
 * Trains on rows from disk and writes the adapter, what the model answers and the measures of the run to a folder.
 * The published package does the work, in a headless Chromium: there is no second way of training.
 */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { HELP, readArguments } from "./finetune-arguments.mjs";
import { CheckpointKeeper, holdsCheckpoint } from "./finetune-checkpoint.mjs";
import { folderWriter } from "./finetune-files.mjs";
import { readPrompts } from "./finetune-prompts.mjs";
import { TASKS } from "./finetune-tasks.mjs";
import { ensureModel, SMOLLM2 } from "./model.mjs";
import { Failure, say, script } from "./run.mjs";
import { setup } from "./setup.mjs";

/** Tokens of a prompt's completion. */
const MAX_NEW_TOKENS = 64;

/** Words for a shell. @param {string} path */
const quoted = (path) => (/^[\w./:\\-]+$/.test(path) ? path : `"${path}"`);

/**
 * Takes what a run reports: everything is written as soon as it is known, so that a later failure takes nothing away.
 * @param {(typeof TASKS)[string]} task
 * @param {string} out
 * @param {boolean} prompted
 * @param {CheckpointKeeper} keeper
 */
function reporter(task, out, prompted, keeper) {
  /** @type {Record<string, ReturnType<typeof folderWriter>>} */
  const writers = {};
  const completions = join(out, "completions.jsonl");
  return (/** @type {any} */ event) => {
    switch (event.type) {
      case "file":
        if (event.folder === "checkpoint") return keeper.take(event);
        writers[event.folder] ??= folderWriter(join(out, event.folder));
        writers[event.folder]?.(event);
        return;
      case "checkpoint":
        return keeper.commit();
      case "resumed":
        keeper.refuse(event.refused.map((/** @type {any} */ { name }) => name));
        for (const { name, message } of event.refused)
          say(`${name} is refused (${message}), the one before it is taken`);
        return say(`going on from ${event.state}; what was reported before it comes again`);
      case "measured":
        writeFileSync(join(out, "metrics.json"), `${JSON.stringify(task.metrics(event), null, 2)}\n`);
        task.write(out, event);
        if (prompted) writeFileSync(completions, "");
        return;
      case "completion":
        return appendFileSync(completions, `${JSON.stringify(event.completion)}\n`);
      default:
        return task.tell(event);
    }
  };
}

/**
 * Where the page finds the model, and what is served to it for that; undefined for the model that the harness serves anyway.
 * @param {import("./finetune-checkpoint.mjs").Settings} settings
 * @returns {Promise<{ source: import("webtune").ModelSource, mounts: Record<string, string> } | undefined>}
 */
async function modelOf({ task, model }) {
  if (model && "repository" in model) return { source: model, mounts: {} };
  if (model) {
    const path = "folder" in model ? model.folder : model.gguf;
    // Its own name is the model's name.
    const at = (/** @type {string} */ name) => `model/${name}${"folder" in model ? "/" : ""}`;
    const name = basename(path);
    return { source: { url: at(encodeURIComponent(name)) }, mounts: { [`/${at(name)}`]: path } };
  }
  if (task !== "causal-lm") return undefined;
  const [file] = Object.keys(SMOLLM2.files);
  const url = `models/${SMOLLM2.name}/`;
  let folder;
  try {
    folder = await ensureModel(SMOLLM2);
  } catch (error) {
    throw new Failure(`${/** @type {Error} */ (error).message}; or name another language model with --model`);
  }
  return { source: { url: url + file, name: SMOLLM2.repository }, mounts: { [`/${url}`]: folder } };
}

script(import.meta.url, async () => {
  const given = readArguments(process.argv.slice(2));
  if (given === "help") {
    process.stdout.write(HELP);
    return;
  }
  const { settings, out, from } = given;
  const { task: name, train, test, device, storage, options, prompts, exports, baseName, checkpointSeconds } = settings;
  const task = Object.hasOwn(TASKS, name) ? TASKS[name] : undefined;
  if (!task) throw new Failure(`--task: expected one of ${Object.keys(TASKS).join(", ")}, found ${name}`);
  try {
    mkdirSync(out, { recursive: true });
  } catch (error) {
    throw new Failure(`--out: ${out} cannot be made: ${/** @type {Error} */ (error).message}`);
  }
  const asked = prompts ? readPrompts(prompts) : [];
  const resuming = `npm run finetune -- --resume ${quoted(out)}`;
  if (!from && holdsCheckpoint(out)) {
    say(`note: ${out} holds a run that was cut off, which this one replaces; to go on with it instead: ${resuming}`);
  }
  await setup({ browser: true });
  // Loaded after setup: it needs installed packages.
  const { openHarness } = await import("./browser.mjs");
  const model = await modelOf(settings);
  const harness = await openHarness({
    "/train": train,
    ...(test ? { "/test": test } : {}),
    ...model?.mounts,
    ...(from ? { "/checkpoint/": from.folder } : {}),
  });
  const job = {
    task: name,
    model: model?.source ?? { url: harness.modelUrl, name: harness.modelName },
    device,
    storage,
    options,
    parse: settings.parse,
    train: { url: "train", name: basename(train) },
    ...(test ? { test: { url: "test", name: basename(test) } } : {}),
    prompts: asked,
    maxNewTokens: MAX_NEW_TOKENS,
    ...(exports ? { exports } : {}),
    ...(baseName ? { baseName } : {}),
    checkpointSeconds,
    ...(from ? { states: from.states.map((state) => ({ url: `checkpoint/${state}`, name: state })) } : {}),
  };
  const keeper = new CheckpointKeeper(out, settings, !from);
  try {
    const result = await harness.run("finetune", job, reporter(task, out, asked.length > 0, keeper));
    say(result.finished.message);
    task.conclude(result);
    say(`written to ${out}`);
    // A run that an error ended has its best state written, and may still be gone on with.
    if (result.finished.reason !== "failed") keeper.remove();
    else if (keeper.written || from) say(`its last checkpoint is kept; to go on from it: ${resuming}`);
  } catch (error) {
    const { message: words, code } = /** @type {Failure} */ (error);
    // What the engine calls options are flags here.
    const message = words.replace("(skipBad)", "(--skip-bad)").replace("(encoding)", "(--encoding windows-1252)");
    // A checkpoint that was refused is no way on, unlike one that was there when the browser died.
    if (!keeper.written && !(from && code === "crashed"))
      throw error instanceof Failure ? new Failure(message, code) : error;
    throw new Failure(`${message}; to go on from the last checkpoint: ${resuming}`, code);
  } finally {
    keeper.close();
    await harness.close();
  }
});
