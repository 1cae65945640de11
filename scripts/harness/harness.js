/**
 * Runs jobs for a script, with files by address: results leave as plain values, and events on the way.
 * This page knows nothing but the published package.
 */
import { FineTuner, parseExamples, RunRecorder, recordToJson } from "webtune";
import { fetchFile, report, send } from "./bridge.js";
import { finetuneLanguage } from "./language.js";
import { trainSteps } from "./steps.js";

/** @typedef {import("./bridge.js").RemoteFile} RemoteFile */
/**
 * @typedef {object} FinetuneJob
 * @property {import("webtune").ModelSource} model
 * @property {import("webtune").DeviceChoice} device
 * @property {import("webtune").WeightStorage} [storage]
 * @property {import("webtune").TrainOptions} options
 * @property {RemoteFile} train
 * @property {RemoteFile} [test]
 */

/** @param {RemoteFile} file */
async function examplesOf(file) {
  const { rows } = await parseExamples(await fetchFile(file), file.name);
  return rows.map(({ text, label }) => ({ text, label }));
}

/** @param {FinetuneJob} job */
async function finetune({ model, device, storage, options, train, test }) {
  const trainRows = await examplesOf(train);
  const testRows = test ? await examplesOf(test) : undefined;
  const known = new Set(trainRows.map(({ label }) => label));
  const stranger = testRows?.findIndex(({ label }) => !known.has(label)) ?? -1;
  if (stranger >= 0) {
    throw new Error(
      `test example ${stranger + 1}: the label "${testRows?.[stranger]?.label}" is not among the training labels`,
    );
  }
  const tuner = await FineTuner.load(model, { device, storage });
  try {
    await report({ type: "loaded", model: tuner.model, device: tuner.device });
    const recorder = new RunRecorder({ model: tuner.model.name, device: tuner.device.device, data: train.name });
    /** @type {Extract<import("webtune").TrainEvent, { type: "started" }> | undefined} */
    let started;
    /** @type {Extract<import("webtune").TrainEvent, { type: "finished" }> | undefined} */
    let finished;
    for await (const event of tuner.train(trainRows, options)) {
      recorder.take(event);
      if (event.type === "started") started = event;
      if (event.type === "finished") finished = event;
      else await report(event);
    }
    if (!started || !finished) throw new Error("the run ended without its last event");
    if (testRows) await report({ type: "testing", rows: testRows.length });
    const evaluation = testRows ? await tuner.evaluate(testRows) : finished.evaluation;
    for (const file of await tuner.exportAdapter()) await send(file);
    return {
      run: JSON.parse(recordToJson(recorder.finish())),
      cachedLayers: started.cachedLayers,
      finished,
      evaluation,
      peakWasmBytes: await tuner.memoryBytes(),
    };
  } finally {
    tuner.dispose();
  }
}

/**
 * Milliseconds from this page's navigation to its first optimiser step.
 * @param {FinetuneJob} job
 */
async function firstStep({ model, device, options, train }) {
  const rows = await examplesOf(train);
  const tuner = await FineTuner.load(model, { device });
  try {
    for await (const event of tuner.train(rows, options)) if (event.type === "step") return performance.now();
    throw new Error("the run ended without a step");
  } finally {
    tuner.dispose();
  }
}

/** @type {Record<string, (job: any) => Promise<unknown>>} */
const jobs = { finetune, finetuneLanguage, firstStep, trainSteps };

/** A thrown error would lose its code on the way to the script. */
/** @type {any} */ (globalThis).webtuneRun = async (/** @type {string} */ name, /** @type {unknown} */ job) => {
  try {
    return { value: await jobs[name]?.(job) };
  } catch (error) {
    const { code, message } = /** @type {{ code?: string, message?: string }} */ (error);
    return { error: { code, message: message ?? String(error) } };
  }
};
