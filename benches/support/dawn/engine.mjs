/**
 * Runs the built engine in Node: opens it, trains some steps of a random model, and reads what the steps have learnt.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "../../../scripts/cache.mjs";
import { randomModel, randomRows } from "./models.mjs";

/** @typedef {import("./workloads.mjs").Workload} Workload */

const MODULE = join(root, "www/lib/wasm/webgpu/webtune");
/** Bytes; the engine refuses nothing by its estimate, so that what does not fit shows as what it is. */
const UNLIMITED = 2 ** 50;
/** A WebAssembly memory ends at 4 GiB. */
const CPU_LIMIT = 3584 * 2 ** 20;
const MAGIC_BYTES = 12;

let instances = 0;

/** An instance of its own of the built module. @param {string} [module] its path without an ending */
async function instantiate(module = MODULE) {
  instances += 1;
  const glue = await import(`${pathToFileURL(`${module}.js`).href}?${instances}`);
  await glue.default({ module_or_path: await readFile(`${module}_bg.wasm`) });
  return glue;
}

/** A browser rounds times to 100 microseconds, which most kernels are below. */
const EXACT_TIMES = "disable-dawn-features=timestamp_quantization";
/** Nothing else that is optional, so that kernels are those of any adapter. */
const LEAST_FEATURES = ["core-features-and-limits", "timestamp-query"];

/**
 * Dawn as the global things that a page's WebGPU is.
 * @param {any} dawn the module
 * @param {import("../../../scripts/dawn.mjs").Adapter} adapter
 * @param {string[]} [features] that the null adapter says it has
 */
export function installDawn(dawn, adapter, features = LEAST_FEATURES) {
  Object.assign(globalThis, dawn.globals);
  const gpu = dawn.create([adapter === "none" ? "backend=null" : EXACT_TIMES]);
  if (adapter === "none") {
    const own = gpu.requestAdapter;
    gpu.requestAdapter = async (/** @type {any[]} */ ...options) => {
      const found = await own.apply(gpu, options);
      found.features = new Set(features);
      return found;
    };
  }
  Object.defineProperty(globalThis, "navigator", { value: { gpu, userAgent: "node" }, configurable: true });
  // By this the engine's bindings know that they are in a worker, where a page's `navigator` is.
  Object.assign(globalThis, { WorkerGlobalScope: function WorkerGlobalScope() {}, self: globalThis });
  return gpu;
}

/** A run of the workload, in which each step has new rows. @param {"webgpu" | "cpu"} kind @param {Workload} workload @param {number} steps */
export async function startRun(kind, workload, steps) {
  const { config, rows, tokens, storage, checkpointing, targets } = workload;
  const glue = await instantiate();
  const device = await glue.openDevice(kind, kind === "cpu" ? CPU_LIMIT : UNLIMITED);
  const isBert = config.model_type === "bert";
  const load = isBert ? glue.Classifier.load : glue.LanguageModel.load;
  const model = await load(device, "random", randomModel(config), storage);
  // Of each label one row judges.
  const judging = 2;
  const count = rows * steps + judging;
  const options = {
    method: { type: "lora", r: 8, targetModules: targets },
    numTrainEpochs: 1,
    trainBatchSize: rows,
    maxLength: Math.max(8, tokens),
    gradientCheckpointing: checkpointing,
    validationSplit: judging / count,
    earlyStoppingPatience: 0,
    ...(isBert ? { contrastive: false, head: "mean", headInit: "random" } : { fewShotExamples: 0, sampleTokens: 0 }),
  };
  model.start("rows", randomRows(config, count, tokens), options);
  return { device, model };
}

/**
 * Goes on to the next step. `before` is called before each piece of work, since nobody knows which one the step will be.
 * @param {any} model @param {() => void} [before]
 */
export async function nextStep(model, before) {
  for (;;) {
    before?.();
    const begin = performance.now();
    const event = await model.nextEvent();
    if (event === undefined || event.type === "finished") throw new Error(`the run ended: ${JSON.stringify(event)}`);
    if (event.type === "step") return { ...event, ms: performance.now() - begin };
  }
}

/** What the optimizer keeps after some steps, by name: the trained values, the means of their gradients and of the squares. @param {any} model */
export async function learnt(model) {
  if (!model.startCheckpoint()) throw new Error("there is no state yet");
  /** @type {Uint8Array[]} */
  const pieces = [];
  for (;;) {
    const piece = await model.nextCheckpointPiece();
    if (piece === undefined) break;
    pieces.push(piece);
  }
  const [head = new Uint8Array(), ...tensors] = pieces;
  /** @type {Record<string, Float32Array>} */
  const found = {};
  tensorNames(head).forEach((name, index) => {
    found[name] = new Float32Array(/** @type {Uint8Array} */ (tensors[index]).slice().buffer);
  });
  return found;
}

/** The names of a checkpoint's tensors, from its head in postcard: engine, task, state, then name and length of each. @param {Uint8Array} head */
function tensorNames(head) {
  // The magic and the version, then the head's length in 8 bytes.
  let at = MAGIC_BYTES + 8;
  const number = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = /** @type {number} */ (head[at++]);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const bytes = () => {
    const length = number();
    at += length;
    return head.subarray(at - length, at);
  };
  for (let field = 0; field < 3; field += 1) bytes();
  return Array.from({ length: number() }, () => {
    const name = new TextDecoder().decode(bytes());
    number();
    return name;
  });
}
