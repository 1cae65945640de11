/**
 * Runs jobs for a script, with files by address: results leave as plain values, and events on the way.
 * This page knows nothing but the published package.
 */
import { parseExamples, TextClassifier } from "webtune";
import { trainSteps } from "./steps.js";

/**
 * Milliseconds from this page's navigation to its first optimizer step.
 * @param {{ model: import("webtune").ModelSource, device: import("webtune").DeviceChoice, options: object, train: { url: string, name: string } }} job
 */
async function firstStep({ model, device, options, train }) {
  const { rows } = await parseExamples(await (await fetch(train.url)).blob(), train.name);
  const tuner = await TextClassifier.load(model, { device, keep: false });
  try {
    for await (const event of tuner.train(rows, options)) if (event.type === "step") return performance.now();
    throw new Error("the run ended without a step");
  } finally {
    tuner.dispose();
  }
}

/** @type {Record<string, (job: any) => Promise<unknown>>} */
const jobs = { firstStep, trainSteps };

/** A thrown error would lose its code on the way to the script. */
/** @type {any} */ (globalThis).webtuneRun = async (/** @type {string} */ name, /** @type {unknown} */ job) => {
  try {
    return { value: await jobs[name]?.(job) };
  } catch (error) {
    const { code, message } = /** @type {{ code?: string, message?: string }} */ (error);
    return { error: { code, message: message ?? String(error) } };
  }
};
