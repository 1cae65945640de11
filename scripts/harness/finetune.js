/**
 * One run of either task on files: events, measures and exported files are reported on the way, and the last event is returned.
 */
import { LanguageModel, parseExamples, parseTextRows, RunRecorder, recordToJson, TextClassifier } from "webtune";
import { fetchFile, report, send } from "./bridge.js";

/** @typedef {import("./bridge.js").RemoteFile} RemoteFile */
/**
 * @typedef {object} FinetuneJob
 * @property {"classification" | "causal-lm"} [task]
 * @property {import("webtune").ModelSource} model
 * @property {import("webtune").DeviceChoice} device
 * @property {import("webtune").WeightStorage} [storage]
 * @property {any} options
 * @property {Pick<import("webtune").ParseOptions, "encoding" | "skipBad" | "textColumn" | "textPairColumn" | "labelColumns" | "labelSeparator">} [parse] how the files are read
 * @property {RemoteFile} train
 * @property {RemoteFile} [test]
 * @property {import("webtune").Prompt[]} [prompts]
 * @property {number} [maxNewTokens] of each completion
 * @property {import("webtune").ExportFormat[]} [exports] formats; a classifier's own, or any model's without this list, is the method's
 * @property {string} [baseName] what the exports call the base model
 * @property {number} [checkpointSeconds] how often the run's state is sent; without it never
 * @property {RemoteFile[]} [states] of the same run, the newest first; it goes on from the first one that is whole
 */

/** With `parse`, what the reader told is reported. @param {RemoteFile} file @param {FinetuneJob["parse"]} [parse] */
export async function examplesOf(file, parse) {
  const { rows, ...how } = await parseExamples(await fetchFile(file), file.name, parse);
  if (parse) await tellReading(file, how);
  return rows.map(({ row: _number, ...example }) => example);
}

/**
 * What a person should know of how a file was read.
 * @param {RemoteFile} file
 * @param {{ warnings: string[], skippedRows: { row: number, reason: string }[], emptyRows?: number[] }} how
 */
async function tellReading({ name }, { warnings, skippedRows, emptyRows = [] }) {
  await report({ type: "read", file: name, warnings, skippedRows, emptyRows });
}

/** @param {RemoteFile} file @param {Pick<import("webtune").ParseOptions, "encoding" | "skipBad">} [parse] */
async function textsOf(file, parse = {}) {
  const { rows, ...how } = await parseTextRows(new File([await fetchFile(file)], file.name), parse);
  await tellReading(file, how);
  return rows;
}

/** What cannot be asked of what is trained would be found only after training. @param {any[]} rows @param {any[]} tests */
function checkTests(rows, tests) {
  const kindOf = (/** @type {any} */ row) => (row?.textPair === undefined ? "single texts" : "pairs of texts");
  const other = tests.findIndex((test) => kindOf(test) !== kindOf(rows[0]));
  if (other >= 0) {
    throw new Error(
      `test example ${other + 1}: expected ${kindOf(rows[0])}, as trained, found ${kindOf(tests[other])}`,
    );
  }
  const known = new Set(rows.flatMap(({ label }) => label));
  const one = rows.every(({ label }) => typeof label === "string");
  for (const [index, { label }] of tests.entries()) {
    const names = new Set([label].flat());
    if (one && names.size !== 1) {
      throw new Error(`test example ${index + 1}: expected one label, as trained, found ${names.size}`);
    }
    const stranger = [...names].find((name) => !known.has(name));
    if (stranger === undefined) continue;
    throw new Error(`test example ${index + 1}: the label "${stranger}" is not among the training labels`);
  }
}

/**
 * Where the tasks differ. `always` is written besides the formats that a job names; `folders` are those that formats go to.
 * @type {Record<string, {
 *   read: (file: RemoteFile, parse?: FinetuneJob["parse"]) => Promise<any[]>,
 *   checkTest?: (rows: any[], tests: any[]) => void,
 *   load: (model: import("webtune").ModelSource, options: import("webtune").LoadOptions) => Promise<any>,
 *   test: (model: any, rows: any[], job: FinetuneJob, file: string) => Promise<unknown>,
 *   always: undefined[],
 *   folders: Record<string, string>,
 * }>}
 */
const TASKS = {
  classification: {
    read: examplesOf,
    checkTest: checkTests,
    load: (model, options) => TextClassifier.load(model, options),
    test: (model, rows) => model.evaluate(rows),
    always: [undefined],
    folders: { merged: "merged", onnx: "onnx", "onnx-fp16": "onnx-fp16" },
  },
  "causal-lm": {
    read: textsOf,
    load: (model, options) => LanguageModel.load(model, options),
    test: async (model, rows, { options }, file) => ({
      before: await model.evaluate(rows, { ...options, which: "baseline", file }),
      after: await model.evaluate(rows, { ...options, which: "tuned", file }),
    }),
    always: [],
    folders: { gguf: "gguf", merged: "merged" },
  },
};

/** Options that hold texts, which no state has. @param {any} options */
const textsIn = ({ labelDescriptions, samplePrompts }) => ({
  ...(labelDescriptions === undefined ? {} : { labelDescriptions }),
  ...(samplePrompts === undefined ? {} : { samplePrompts }),
});

/** @param {Uint8Array} bytes */
async function keep(bytes) {
  await send({ path: "state", bytes }, "checkpoint");
  await report({ type: "checkpoint" });
}

/**
 * The events of a run from its beginning, or from where it was cut off.
 * @param {any} model @param {any[]} rows @param {FinetuneJob} job
 * @returns {AsyncGenerator<any, void, undefined>}
 */
async function* eventsOf(model, rows, { options, train, checkpointSeconds, states }) {
  const checkpoint = checkpointSeconds === undefined ? undefined : { everySeconds: checkpointSeconds, write: keep };
  const controls = { file: train.name, checkpoint };
  if (!states) {
    yield* model.train(rows, { ...options, ...controls });
    return;
  }
  const refused = [];
  for (const state of states) {
    const bytes = new Uint8Array(await (await fetchFile(state)).arrayBuffer());
    const run = model.resume(bytes, rows, { ...textsIn(options), ...controls });
    let first;
    try {
      first = await run.next();
    } catch (error) {
      const { code, message } = /** @type {{ code?: string, message: string }} */ (error);
      // Whether it is this state alone, or the rows or the model, shows in the other one.
      if (code !== "invalidFile") throw error;
      refused.push({ name: state.name, message });
      continue;
    }
    await report({ type: "resumed", state: state.name, refused });
    if (first.done) return;
    yield first.value;
    yield* run;
    return;
  }
  const reasons = new Set(refused.map(({ message }) => message));
  const each = refused.map(({ name, message }) => `${name}: ${message}`);
  const message = reasons.size === 1 ? [...reasons].join() : each.join("; ");
  throw Object.assign(new Error(message), { code: "invalidFile" });
}

/** @param {FinetuneJob} job */
export async function finetune(job) {
  const { task = "classification", model: source, device, storage, train, test, exports } = job;
  const differing = TASKS[task];
  if (!differing) throw new Error(`task: expected one of ${Object.keys(TASKS).join(", ")}, got ${task}`);
  const rows = await differing.read(train, job.parse ?? {});
  const testRows = test ? await differing.read(test, job.parse ?? {}) : undefined;
  if (testRows) differing.checkTest?.(rows, testRows);
  const model = await differing.load(source, { device, storage, keep: false });
  try {
    const { model: info, device: chosen } = model;
    await report({ type: "loaded", model: info, device: chosen, base: model.base, baseName: job.baseName });
    // Before training, so that a prompt that cannot be continued is reported before any work is done.
    const begun = await beforeTuning(model, job);
    const recorder = new RunRecorder({ model: info.name, device: chosen.device, data: train.name });
    const begin = performance.now();
    const steps = { count: 0, tokens: 0, targets: 0, ms: 0 };
    let started;
    let finished;
    for await (const event of eventsOf(model, rows, job)) {
      if (task === "classification") recorder.take(event);
      if (event.type === "started") started = event;
      if (event.type === "finished") finished = event;
      else await report(event);
      if (event.type !== "step") continue;
      steps.count += 1;
      steps.tokens += event.tokens;
      steps.targets += event.targets;
      steps.ms += event.ms;
    }
    if (!started || !finished) throw new Error("the run ended without its last event");
    const seconds = (performance.now() - begin) / 1000;
    if (testRows) await report({ type: "testing", rows: testRows.length });
    const tested = test && testRows ? await differing.test(model, testRows, job, test.name) : undefined;
    const run = task === "classification" ? JSON.parse(recordToJson(recorder.finish())) : undefined;
    const peakWasmBytes = await model.memoryBytes();
    const measured = { model: info, device: chosen, seconds, steps, started, finished, tested, run, peakWasmBytes };
    // Whatever fails from here on, the run's measures are kept.
    await report({ type: "measured", ...measured });
    const formats = exports ? [...differing.always, ...exports] : [undefined];
    for (const format of formats) {
      await exportAs(model, { format, baseName: job.baseName }, differing.folders[format ?? ""]);
    }
    for (const completion of begun)
      await report({ type: "completion", completion: await complete(model, completion, job) });
    return { finished, tested };
  } finally {
    model.dispose();
  }
}

/** @param {any} model @param {FinetuneJob} job */
async function beforeTuning(model, { prompts = [], maxNewTokens }) {
  const begun = [];
  for (const prompt of prompts) {
    const { text } = await model.generate(prompt, { which: "baseline", maxNewTokens });
    begun.push({ prompt, before: text });
  }
  return begun;
}

/**
 * Greedy texts before and after tuning.
 * @param {any} model
 * @param {{ prompt: import("webtune").Prompt, before: string }} begun
 * @param {FinetuneJob} job
 */
async function complete(model, { prompt, before }, { maxNewTokens }) {
  const { text: after } = await model.generate(prompt, { which: "tuned", maxNewTokens });
  const logits = [...(await model.nextLogits(prompt, { which: "tuned" }))];
  return { ...(typeof prompt === "string" ? { prompt } : { messages: prompt }), before, after, logits };
}

/**
 * @param {TextClassifier | LanguageModel} model
 * @param {import("webtune").ExportOptions} options
 * @param {string} [folder]
 */
async function exportAs(model, options, folder) {
  await report({ type: "exporting", format: options.format });
  let path = "";
  let at = 0;
  for await (const piece of model.exportPieces(options)) {
    if (piece instanceof Uint8Array) {
      await send({ path, bytes: piece }, folder, at);
      at += piece.length;
    } else if ("open" in piece) {
      path = piece.open.path;
      at = 0;
      if (piece.open.size === 0) await send({ path, bytes: new Uint8Array(0) }, folder);
    }
  }
}
