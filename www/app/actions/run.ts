/**
 * Enters: the usable rows and the drawer's fields. Leaves: a run's events as state, and at its end the adapter's files.
 */
import type { Example, ExportedFile, FineTuner, TrainEvent, TrainingRun } from "webtune";
import { codeOf, counted, messageOf, percent } from "../format";
import { fieldOfMessage, readOptions } from "../options";
import { emptyRun, type Store } from "../state";

/** Steps whose time tells how long the rest will take. */
const RECENT = 20;

export class RunActions {
  #run: TrainingRun | undefined;
  #times: number[] = [];
  #featuresSince = 0;

  constructor(
    private readonly store: Store,
    private readonly tuner: () => FineTuner | undefined,
    /** The engine is gone, and with it the model; exported files stay. */
    private readonly crashed: () => void,
  ) {}

  async start(examples: Example[]): Promise<void> {
    const { store } = this;
    const tuner = this.tuner();
    if (!tuner) return;
    const { options, errors } = readOptions(store.state.run.options);
    if (Object.keys(errors).length > 0) {
      store.patch("run", {
        fieldErrors: errors,
        error: "Some options cannot be read; they are marked in the options.",
      });
      return;
    }
    store.patch("run", { ...emptyRun(store.state.run.options), ...blank, status: "starting" });
    store.announce("Training starts.");
    this.#times = [];
    this.#featuresSince = 0;
    const before = store.state.result.files;
    try {
      const run = tuner.train(examples, options);
      this.#run = run;
      for await (const event of run) await this.#take(event, tuner);
    } catch (error) {
      await this.#fail(error, tuner, before);
    } finally {
      this.#run = undefined;
      store.patch("run", { status: "idle", etaMs: undefined });
    }
  }

  pause(): void {
    this.#run?.pause();
    this.store.patch("run", { status: "paused" });
    this.store.announce("Training is paused.");
  }

  resume(): void {
    this.#featuresSince = 0;
    this.#run?.resume();
    this.store.patch("run", { status: "running" });
    this.store.announce("Training goes on.");
  }

  stop(): void {
    // A paused run would not reach its end.
    if (this.store.state.run.status === "paused") this.#run?.resume();
    this.#run?.stop();
    this.store.patch("run", { status: "stopping" });
    this.store.announce("Training stops after this step; the best state so far is kept.");
  }

  setOption(name: string, value: string): void {
    const { options, fieldErrors } = this.store.state.run;
    const { [name]: _gone, ...rest } = fieldErrors;
    this.store.patch("run", { options: { ...options, [name]: value }, fieldErrors: rest });
  }

  resetOptions(): void {
    this.store.patch("run", { options: {}, fieldErrors: {} });
  }

  async #take(event: TrainEvent, tuner: FineTuner): Promise<void> {
    const { store } = this;
    const { run } = store.state;
    switch (event.type) {
      case "started":
        store.patch("run", { started: event, status: run.status === "starting" ? "running" : run.status });
        return;
      case "features":
        store.patch("run", { features: { done: event.done, total: event.total }, etaMs: this.#featuresLeft(event) });
        return;
      case "probe": {
        const { accuracy, macroF1 } = event.validation;
        store.patch("run", { accuracies: [{ step: 0, epoch: 0, accuracy, macroF1, best: true }], etaMs: undefined });
        store.announce(`Before tuning: ${percent(accuracy)} of the validation rows are right.`);
        return;
      }
      case "step":
        this.#times = [...this.#times, event.ms].slice(-RECENT);
        store.patch("run", {
          step: event.step,
          epoch: event.epoch,
          losses: [...run.losses, event.loss],
          rates: [...run.rates, event.learningRate],
          headRates: [...run.headRates, event.headLearningRate],
          etaMs: (this.#times.reduce((a, b) => a + b, 0) / this.#times.length) * (event.totalSteps - event.step),
        });
        return;
      case "evaluation": {
        const { step, epoch, best } = event;
        const { accuracy, macroF1 } = event.validation;
        const earlier = run.accuracies.map((point) => (best ? { ...point, best: false } : point));
        store.patch("run", { accuracies: [...earlier, { step, epoch, accuracy, macroF1, best }] });
        store.announce(`Epoch ${epoch}: ${percent(accuracy)} of the validation rows are right.`);
        return;
      }
      case "finished":
        store.patch("result", {
          finished: event,
          origin: "trained",
          exported: false,
          files: undefined,
          version: store.state.result.version + 1,
        });
        store.announce(event.message);
        await this.#keepFiles(tuner);
    }
  }

  /** The files are taken at once, so that they survive whatever happens to the engine later. */
  async #keepFiles(tuner: FineTuner): Promise<void> {
    try {
      this.store.patch("result", { files: await tuner.exportAdapter() });
    } catch (error) {
      this.store.patch("result", { exportError: messageOf(error) });
    }
  }

  async #fail(error: unknown, tuner: FineTuner, before: ExportedFile[] | undefined): Promise<void> {
    const { store } = this;
    const message = messageOf(error);
    if (codeOf(error) === "crashed") {
      this.crashed();
      store.patch("run", {
        error: `${message} Load the model again to go on; what was tuned before can still be exported.`,
      });
      return;
    }
    const field = codeOf(error) === "invalidOption" ? fieldOfMessage(message) : undefined;
    store.patch("run", { error: message, fieldErrors: field ? { [field.name]: field.reason } : {} });
    // Nothing has started where options or rows were refused: the engine still holds what it held.
    if (!store.state.run.started || !before) return;
    try {
      await tuner.importAdapter(before);
    } catch (second) {
      store.patch("run", {
        error: `${message} The adapter of the run before can still be exported, but not tried: ${messageOf(second)}`,
      });
    }
  }

  #featuresLeft({ done, total }: { done: number; total: number }): number | undefined {
    const now = performance.now();
    if (this.#featuresSince === 0 || done <= 1 || this.#featuresFrom > done) {
      this.#featuresSince = now;
      this.#featuresFrom = done;
      return undefined;
    }
    const rate = (now - this.#featuresSince) / Math.max(1, done - this.#featuresFrom);
    return rate * (total - done);
  }
  #featuresFrom = 0;
}

const blank = {
  started: undefined,
  features: undefined,
  etaMs: undefined,
  error: undefined,
};

/** `510 rows train, 90 judge`. */
export const splitWords = (train: number, validation: number): string =>
  `${counted(train, "row")} ${train === 1 ? "trains" : "train"}, ${counted(validation, "row")} ${validation === 1 ? "judges" : "judge"}`;
