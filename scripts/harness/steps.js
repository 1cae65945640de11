/**
 * Measures the memory and the time of a model's first training steps.
 */
import { LanguageModel, TextClassifier } from "webtune";

/**
 * @typedef {object} StepsJob
 * @property {"classification" | "causal-lm"} task
 * @property {import("webtune").ModelSource} model
 * @property {import("webtune").DeviceChoice} device
 * @property {import("webtune").WeightStorage} storage
 * @property {any} options of the run
 * @property {string[]} texts
 * @property {number} steps after which the run ends
 */

/** @param {StepsJob} job */
function open({ task, model, device, storage }) {
  if (task === "causal-lm") return LanguageModel.load(model, { device, storage });
  return TextClassifier.load(model, { device, storage });
}

/**
 * @param {TextClassifier | LanguageModel} tuner
 * @param {StepsJob} job
 * @returns {AsyncIterable<any>}
 */
function begin(tuner, { texts, options }) {
  if (tuner instanceof LanguageModel) {
    const rows = texts.map((text, index) => ({ row: index + 1, content: { text } }));
    return tuner.train(rows, options);
  }
  return tuner.train(
    texts.map((text, index) => ({ text, label: index % 2 === 0 ? "even" : "odd" })),
    options,
  );
}

/** @param {StepsJob} job */
export async function trainSteps(job) {
  const start = performance.now();
  const tuner = await open(job);
  try {
    const loadMs = performance.now() - start;
    const loadedBytes = await tuner.memoryBytes();
    const stepMs = [];
    const losses = [];
    let started;
    let tokens = 0;
    for await (const event of begin(tuner, job)) {
      if (event.type === "started") started = event;
      if (event.type !== "step") continue;
      stepMs.push(event.ms);
      losses.push(event.loss);
      tokens = event.tokens ?? tokens;
      if (stepMs.length === job.steps) break;
    }
    if (!started || stepMs.length === 0) throw new Error("the run ended without a step");
    return {
      device: tuner.device,
      estimate: started.memoryEstimate,
      loadMs,
      loadedBytes,
      wasmBytes: await tuner.memoryBytes(),
      bufferBytes: await tuner.bufferBytes(),
      stepMs,
      losses,
      tokens,
    };
  } finally {
    tuner.dispose();
  }
}
