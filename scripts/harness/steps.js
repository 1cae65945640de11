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
 * @property {import("webtune").WorkerChoice} [workers] default 1
 * @property {any} options of the run
 * @property {string[]} texts
 * @property {number} steps after which the run ends
 * @property {boolean} [checkpoints] whether its state is written as often as it may be
 */

/** @param {StepsJob} job */
function open({ task, model, device, storage, workers = 1 }) {
  const options = { device, storage, workers, keep: false };
  return task === "causal-lm" ? LanguageModel.load(model, options) : TextClassifier.load(model, options);
}

/**
 * @param {TextClassifier | LanguageModel} tuner
 * @param {StepsJob} job
 * @param {(bytes: Uint8Array, ms: number) => void} write
 * @returns {AsyncIterable<any>}
 */
function begin(tuner, { texts, options: given, checkpoints }, write) {
  const options = checkpoints ? { ...given, checkpoint: { everySeconds: 0, write } } : given;
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
    /** @type {{ bytes: number, ms: number }[]} */
    const checkpoints = [];
    let started;
    let tokens = 0;
    const write = (/** @type {Uint8Array} */ { length }, /** @type {number} */ ms) => {
      checkpoints.push({ bytes: length, ms });
    };
    for await (const event of begin(tuner, job, write)) {
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
      checkpoints,
    };
  } finally {
    tuner.dispose();
  }
}
