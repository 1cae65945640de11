/**
 * One plain object with a run's settings and measures, gathered from its events, which outlives the run and can be compared.
 * It holds no text of any example but in `rows`, which `recordToJson` leaves out unless a person asks for it.
 */
import { WebtuneError } from "../errors.js";
import type {
  Baselines,
  ClassifyEvent,
  Comparison,
  Forgetting,
  GroupRate,
  Label,
  Report,
  ResolvedClassifyOptions,
  SeedRun,
  SeedSummary,
  Stage,
} from "../types/engine.js";

/**
 * Several runs that differ in their seeds; accuracy and loss are null for one that was never scored. The accuracy is a micro F1 where a text
 * may have several labels, as it is in the mean.
 */
export interface RecordedSeeds extends Omit<SeedSummary, "runs"> {
  runs: (Omit<SeedRun, "value" | "keptStep"> & { accuracy: number | null })[];
}

/** What is kept of a run; JSON throughout. */
export interface RunRecord {
  /** Counts up when a field changes its meaning. */
  version: 1;
  id: string;
  /** Given by a person; at first method and data. */
  name: string;
  /** ISO 8601. */
  createdAt: string;
  /** Repository id or folder name of the base model. */
  model: string;
  device: "webgpu" | "cpu";
  /** Of the examples: a file's name, never its rows. */
  data: string;
  options: ResolvedClassifyOptions;
  /** One sentence per choice that a recipe made. */
  reasons: string[];
  labels: string[];
  trainRows: number;
  validationRows: number;
  /** Runs with the same value were judged on the same rows, and only those can be compared row by row. */
  itemsKey: string;
  /** One entry per row of `itemsKey`: whether the tuned model labelled it rightly, with all its labels where it may have several. */
  correct: boolean[];
  tuned: Report;
  baselines: Baselines;
  bestBaseline: keyof Baselines;
  comparison: Comparison;
  verdict: string;
  forgetting: Forgetting;
  trainedParameters: number;
  totalParameters: number;
  exportBytes: number;
  /** From the call to the last event. */
  seconds: number;
  msPerStep: number | null;
  steps: number;
  keptEpoch: number;
  keptStage: "probe" | "contrastive" | "classify";
  reason: string;
  /** Loss by step, of the best seed where there were several, as are the two lists below. Losses that are no number are left out. */
  curve: { step: number; loss: number }[];
  evaluations: { step: number; epoch: number; stage: Stage; accuracy: number; loss: number }[];
  /** Rates and frozen groups at the steps where they were noted. */
  rates: { step: number; groups: GroupRate[] }[];
  seeds?: RecordedSeeds;
  /** The rows of `correct`, with their texts. */
  rows?: { text: string; textPair?: string; label: Label; predicted: Label }[];
}

export interface RunContext {
  /** Repository id or folder name of the base model. */
  model: string;
  device: "webgpu" | "cpu";
  /** Of the examples: a file's name. */
  data: string;
  /** Default: method and data, `lora · trec.csv`. */
  name?: string | undefined;
}

type Trace = Pick<RunRecord, "curve" | "evaluations" | "rates">;
type Event<Type extends ClassifyEvent["type"]> = Extract<ClassifyEvent, { type: Type }>;

/** Rates are noted this often over a run, in addition to the steps in which something freezes, thaws or a stage begins. */
const RATE_SAMPLES = 100;

/** Gathers a `RunRecord`. Construct it when the run starts, give it every event, and call `finish` after the last. */
export class RunRecorder {
  readonly #context: RunContext;
  readonly #begun = performance.now();
  readonly #createdAt = new Date().toISOString();
  readonly #stepMs: number[] = [];
  /** One per seed. */
  readonly #traces: Trace[] = [emptyTrace()];
  #started: Event<"started"> | undefined;
  #finished: Event<"finished"> | undefined;
  #reasons: string[] = [];
  #seconds = 0;
  /** What was frozen when rates were noted last, and in which stage. */
  #frozen = "";

  constructor(context: RunContext) {
    this.#context = context;
  }

  take(event: ClassifyEvent): void {
    switch (event.type) {
      case "started":
        this.#started = event;
        break;
      case "recipe":
        this.#reasons = event.reasons;
        break;
      case "seed":
        this.#traces[event.index] = emptyTrace();
        this.#frozen = "";
        break;
      case "step":
        this.#step(event);
        break;
      case "evaluation": {
        const { step, epoch, stage, validation } = event;
        const { accuracy, loss } = validation;
        if (Number.isFinite(loss)) this.#trace().evaluations.push({ step, epoch, stage, accuracy, loss });
        break;
      }
      case "finished":
        this.#finished = event;
        this.#seconds = (performance.now() - this.#begun) / 1000;
        break;
    }
  }

  /** @throws WebtuneError `invalidState` before the run's last event was taken. */
  finish(): RunRecord {
    const started = this.#started;
    const finished = this.#finished;
    if (!started || !finished)
      throw new WebtuneError("invalidState", "the run has not finished, so it has no record yet");
    const { evaluation, options, seeds } = finished;
    const { model, device, data, name } = this.#context;
    return {
      version: 1,
      id: newId(),
      name: name ?? `${options.method.type} · ${data}`,
      createdAt: this.#createdAt,
      model,
      device,
      data,
      options,
      reasons: this.#reasons,
      labels: started.labels,
      trainRows: started.trainRows,
      validationRows: started.validationRows,
      itemsKey: started.itemsKey,
      correct: evaluation.rows.map(({ label, predicted }) => keyOf(predicted) === keyOf(label)),
      tuned: evaluation.tuned,
      baselines: evaluation.baselines,
      bestBaseline: evaluation.bestBaseline,
      comparison: evaluation.comparison,
      verdict: finished.verdict,
      forgetting: finished.forgetting,
      trainedParameters: finished.trainedParameters,
      totalParameters: finished.totalParameters,
      exportBytes: finished.exportBytes,
      seconds: this.#seconds,
      msPerStep: median(this.#stepMs),
      steps: finished.steps,
      keptEpoch: finished.keptEpoch,
      keptStage: finished.keptStage,
      reason: finished.reason,
      ...(this.#traces[seeds?.best ?? 0] ?? emptyTrace()),
      ...(seeds ? { seeds: recorded(seeds) } : {}),
      rows: evaluation.rows.map(({ text, textPair, label, predicted }) => ({
        text,
        ...(textPair === undefined ? {} : { textPair }),
        label,
        predicted,
      })),
    };
  }

  #trace(): Trace {
    return this.#traces.at(-1) ?? emptyTrace();
  }

  #step({ step, totalSteps, stage, loss, groups, ms }: Event<"step">): void {
    const trace = this.#trace();
    this.#stepMs.push(ms);
    // JSON has no NaN, and a diverged run has such losses.
    if (Number.isFinite(loss)) trace.curve.push({ step, loss });
    const frozen = [stage, ...groups.map((group) => group.frozen)].join();
    const stride = Math.ceil(totalSteps / RATE_SAMPLES);
    if (frozen !== this.#frozen || step % stride === 0) trace.rates.push({ step, groups });
    this.#frozen = frozen;
  }
}

function recorded({ runs, ...summary }: SeedSummary): RecordedSeeds {
  return { ...summary, runs: runs.map(({ value, ...run }) => ({ ...run, accuracy: value })) };
}

/** Equal for equal labels, in whatever order they are. */
const keyOf = (label: Label): string => (typeof label === "string" ? label : JSON.stringify([...label].sort()));

/** `crypto.randomUUID` is there in secure contexts only, and a page on plain http is none. */
function newId(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function emptyTrace(): Trace {
  return { curve: [], evaluations: [], rates: [] };
}

function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? 0) + upper) / 2;
}
