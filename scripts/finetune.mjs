/**
 * Trains on rows from disk and writes the adapter, what the model answers and the measures of the run to a folder.
 * The published package does the work, in a headless Chromium: there is no second way of training.
 */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { readArguments } from "./finetune-arguments.mjs";
import { folderWriter } from "./finetune-files.mjs";
import { readPrompts } from "./finetune-prompts.mjs";
import { TASKS } from "./finetune-tasks.mjs";
import { Failure, say, script } from "./run.mjs";
import { setup } from "./setup.mjs";

/** Tokens of a prompt's completion. */
const MAX_NEW_TOKENS = 64;

/**
 * Takes what a run reports: everything is written as soon as it is known, so that a later failure takes nothing away.
 * @param {(typeof TASKS)[string]} task
 * @param {string} out
 * @param {boolean} prompted
 */
function reporter(task, out, prompted) {
  /** @type {Record<string, ReturnType<typeof folderWriter>>} */
  const writers = {};
  const completions = join(out, "completions.jsonl");
  return (/** @type {any} */ event) => {
    switch (event.type) {
      case "file":
        writers[event.folder] ??= folderWriter(join(out, event.folder));
        writers[event.folder]?.(event);
        return;
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

script(import.meta.url, async () => {
  const given = readArguments(process.argv.slice(2));
  const { task: name, train, test, model, device, storage, options, prompts, exports, out } = given;
  const task = TASKS[name];
  if (!task) throw new Failure(`--task: expected one of ${Object.keys(TASKS).join(", ")}, found ${name}`);
  try {
    mkdirSync(out, { recursive: true });
  } catch (error) {
    throw new Failure(`--out: ${out} cannot be made: ${/** @type {Error} */ (error).message}`);
  }
  const asked = prompts ? readPrompts(prompts) : [];
  await setup({ browser: true });
  // Loaded after setup: it needs installed packages.
  const { openHarness } = await import("./browser.mjs");
  const folder = model && "folder" in model ? model.folder : undefined;
  const harness = await openHarness({
    "/train": train,
    ...(test ? { "/test": test } : {}),
    // The folder's own name is the model's name.
    ...(folder ? { [`/model/${basename(folder)}/`]: folder } : {}),
  });
  const source = folder
    ? { url: `model/${encodeURIComponent(basename(folder))}/` }
    : (model ?? { url: harness.modelUrl, name: harness.modelName });
  const job = {
    task: name,
    model: source,
    device,
    storage,
    options,
    train: { url: "train", name: basename(train) },
    ...(test ? { test: { url: "test", name: basename(test) } } : {}),
    prompts: asked,
    maxNewTokens: MAX_NEW_TOKENS,
    ...(exports ? { exports } : {}),
  };
  try {
    const result = await harness.run("finetune", job, reporter(task, out, asked.length > 0));
    say(result.finished.message);
    task.conclude(result);
    say(`written to ${out}`);
  } finally {
    await harness.close();
  }
});
