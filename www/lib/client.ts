/**
 * Enters: a model's source, labelled examples, texts. Leaves: a tuned model that predicts, and its adapter's files.
 */
import { abortedError, toWebtuneError } from "./errors.js";
import type { WeightStorage } from "./language-protocol.js";
import { type Listeners, WorkerLink } from "./link.js";
import type { Answer, Arguments, CallName, LoadProgress } from "./messages.js";
import type {
  DeviceChoice,
  Evaluation,
  Example,
  ExportedFile,
  ModelInfo,
  ModelSource,
  Prediction,
  TrainEvent,
  TrainOptions,
} from "./protocol.js";
import type { TrainingRun } from "./run.js";
import { settleSource } from "./settle.js";
import { Tuner } from "./tuner.js";

export interface LoadOptions {
  /** How the frozen weights are kept; default "f32". Of an encoder those of its linear layers, its tables stay in float32. */
  storage?: WeightStorage | undefined;
  /** Default `auto`: WebGPU on a hardware adapter, the CPU engine otherwise. */
  device?: DeviceChoice | undefined;
  /** Told of every phase that begins, and of bytes read per file. */
  onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** An abort ends the loading with code `aborted`. */
  signal?: AbortSignal | undefined;
  /** Most bytes that the engine may plan for; default half of the device's memory, 3 GiB at most. */
  memoryLimitBytes?: number | undefined;
}

/**
 * A pretrained model in a worker of its own, ready to be tuned.
 *
 * Every method may reject with a `WebtuneError`; beside the codes named there, `aborted` after `dispose` and
 * `crashed` when the worker died. After a crash, load anew.
 */
export class FineTuner extends Tuner<ModelInfo, TrainEvent> {
  private constructor(link: WorkerLink, loaded: Answer<"load">) {
    super(link, loaded);
  }

  /**
   * Starts an engine and loads a model into it. Weights are read in ranges and never held whole.
   *
   * @throws WebtuneError `missingFile`, `readFailed`, `invalidFile`, `missingTensor`, `wrongShape`, `wrongDtype`,
   * `notFinite`, `unsupportedModel`, `tokenizerMismatch` (the model), `noWebgpu`, `deviceFailed`, `outOfMemory` (the
   * machine), `invalidOption`, `aborted`.
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<FineTuner> {
    const settled = settleSource(source, pageAddress());
    const link = WorkerLink.spawn();
    const { storage = "f32", device = "auto", memoryLimitBytes, signal, onProgress } = options;
    const args: Arguments<"load"> = [settled, storage, device, memoryLimitBytes];
    return new FineTuner(link, await callOnce(link, "load", args, signal, { onProgress }));
  }

  /**
   * Starts a run at once; read its events with `for await`. Errors in examples or options (`invalidData`,
   * `invalidOption`, `outOfMemory`) are thrown by the loop.
   *
   * @param options Settings of the run, and an `AbortSignal` that ends it with the best state so far kept.
   * @throws WebtuneError `invalidState` while another run goes on.
   */
  train(examples: readonly Example[], options: TrainOptions & { signal?: AbortSignal | undefined } = {}): TrainingRun {
    const { signal, ...settings } = options;
    return this.begin((listeners) => this.link.call("train", [[...examples], settings], listeners), signal);
  }

  /**
   * Labels texts, in their order. During a run this waits for the step that is being computed.
   *
   * @param options `baseline` is the frozen model with the fitted head; default `tuned`.
   * @throws WebtuneError `invalidState` before the first run or import.
   */
  predict(texts: readonly string[], options: { which?: "tuned" | "baseline" | undefined } = {}): Promise<Prediction[]> {
    return this.call("predict", [[...texts], options.which ?? "tuned"]);
  }

  /**
   * Scores the baselines and the tuned model on the same rows, and compares them.
   *
   * @throws WebtuneError `invalidData` for a label that was not trained, `invalidState` before the first run or import.
   */
  evaluate(examples: readonly Example[]): Promise<Evaluation> {
    return this.call("evaluate", [[...examples]]);
  }

  /**
   * What was tuned, as files that others load: PEFT's for `lora` and `prefix`, a Transformers folder for `full`, an
   * AdapterHub folder for `houlsby`, the head's tensors for `probe`; with labels.json and a model card beside them.
   *
   * @throws WebtuneError `invalidState` before the first run or import.
   */
  exportAdapter(): Promise<ExportedFile[]> {
    return this.call("exportAdapter", []);
  }

  /**
   * Puts an export of any method in place of what was trained here.
   *
   * @throws WebtuneError `missingFile`, `invalidFile`, `missingTensor`, `wrongShape` for files that don't fit the model.
   */
  async importAdapter(files: readonly ExportedFile[]): Promise<void> {
    await this.call("importAdapter", [[...files]]);
  }
}

/** One call on a fresh worker; a failure or an abort ends that worker. */
export async function callOnce<Name extends CallName>(
  link: WorkerLink,
  name: Name,
  args: Arguments<Name>,
  signal: AbortSignal | undefined,
  listeners: Listeners,
): Promise<Answer<Name>> {
  const abort = (): void => link.close(abortedError(name.startsWith("load") ? "loading" : name));
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  try {
    return await link.call(name, args, listeners).answer;
  } catch (error) {
    const failure = toWebtuneError(error);
    link.close(failure);
    throw failure;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** Relative addresses mean the page's, not the worker's. */
export function pageAddress(): string | undefined {
  if (typeof document !== "undefined") return document.baseURI;
  return typeof location === "undefined" ? undefined : location.href;
}
