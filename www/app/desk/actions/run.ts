/** Starts, pauses and stops runs, turns their events into state, and takes the exported files as soon as a run has ended. */
import type { TrainingRun } from "webtune";
import { codeOf, messageOf } from "../../ui/format";
import { fieldOfError, readOptions } from "../read-options";
import { type DeskState, emptyResult, emptyRun } from "../state";
import type { Store } from "../store";
import type { Task, TaskTypes } from "../task";
import { TimeLeft } from "../time-left";
import type { ModelActions } from "./model";

interface StepEvent {
  step: number;
  epoch: number;
  totalSteps: number;
  loss: number;
  learningRate: number;
  ms: number;
}

export abstract class RunActions<T extends TaskTypes> {
  #run: TrainingRun<T["event"]> | undefined;
  #time = new TimeLeft();

  constructor(
    protected readonly store: Store<DeskState<T>>,
    protected readonly model: ModelActions<T>,
    private readonly task: Task<T>,
  ) {}

  /** Turns an event into state, with the methods below for what all runs have. */
  protected abstract take(event: T["event"]): void;

  /** Settings that are not in the drawer. */
  protected moreOptions(_rows: readonly T["row"][], options: T["options"]): T["options"] {
    return options;
  }

  /** What a finished run leaves can be exported as an adapter. */
  protected hasAdapter(_finished: T["finished"]): boolean {
    return true;
  }

  /** After the files of a finished run were taken. */
  protected onFinished(): void {}

  async start(rows: readonly T["row"][]): Promise<void> {
    const { store, task } = this;
    const { tuner } = this.model;
    if (!tuner) return;
    const { options, errors } = readOptions<T["options"]>(task.fields, store.state.run.options);
    if (Object.keys(errors).length > 0) {
      store.patch("run", { fieldErrors: errors, error: "Some options cannot be read; they are marked below." });
      return;
    }
    store.patch("run", { ...emptyRun(store.state.run.options), status: "starting" });
    store.announce("Training starts.");
    this.#time = new TimeLeft();
    const before = store.state.result.files;
    let isFinished = false;
    try {
      const run = task.train(tuner, rows, this.moreOptions(rows, options));
      this.#run = run;
      for await (const event of run) {
        this.take(event);
        if (event.type !== "finished") continue;
        isFinished = true;
        await this.#takeFiles(tuner, event as T["finished"]);
      }
    } catch (error) {
      // Once it has finished, a run's own result is in the engine; before it has started, that of the run before.
      const isReplaced = !isFinished && store.state.run.started !== undefined;
      await this.#fail(error, before && isReplaced ? () => tuner.import(before) : undefined);
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
    this.#time.restartClock();
    this.#run?.resume();
    this.store.patch("run", { status: "running" });
    this.store.announce("Training continues.");
  }

  stop(): void {
    // A paused run would not reach its end.
    if (this.store.state.run.status === "paused") this.#run?.resume();
    this.#run?.stop();
    this.store.patch("run", { status: "stopping" });
    this.store.announce("Training stops after this step; the best state so far is kept.");
  }

  setOption(path: string, value: string): void {
    const { options, fieldErrors } = this.store.state.run;
    const { [path]: _gone, ...rest } = fieldErrors;
    this.store.patch("run", { options: { ...options, [path]: value }, fieldErrors: rest });
  }

  resetOptions(): void {
    this.store.patch("run", { options: {}, fieldErrors: {} });
  }

  protected takeStarted(started: T["started"]): void {
    const { status } = this.store.state.run;
    this.store.patch("run", { started, status: status === "starting" ? "running" : status });
  }

  protected takePrepared(prepared: { done: number; total: number }): void {
    this.store.patch("run", { prepared, etaMs: this.#time.prepared(prepared) });
  }

  protected takeFindings(findings: Partial<T["findings"]>): void {
    this.store.patch("run", { findings: { ...this.store.state.run.findings, ...findings } });
  }

  protected takeStep({ step, epoch, totalSteps, loss, learningRate, ms }: StepEvent, stepsAfter = 0): void {
    const { curves } = this.store.state.run;
    const losses = [...curves.losses, loss];
    const rates = [...curves.rates, learningRate];
    this.store.patch("run", {
      curves: { ...curves, step, epoch, totalSteps, losses, rates },
      etaMs: this.#time.step(ms, totalSteps - step + stepsAfter),
    });
  }

  protected takeEvaluation(evaluation: T["evaluation"]): void {
    const { curves } = this.store.state.run;
    const { evaluations } = curves;
    const earlier = evaluation.best ? evaluations.map((one) => ({ ...one, best: false })) : evaluations;
    this.store.patch("run", { curves: { ...curves, evaluations: [...earlier, evaluation] } });
  }

  protected takeFinished(finished: T["finished"]): void {
    this.store.patch("result", {
      ...emptyResult(this.store.state.result.version + 1),
      finished,
      origin: "trained",
      model: this.store.state.model.info?.name ?? "model",
      exported: false,
    });
    this.store.announce(finished.message);
  }

  /** At once, so that they survive whatever happens to the engine later. */
  async #takeFiles(tuner: T["tuner"], finished: T["finished"]): Promise<void> {
    try {
      if (this.hasAdapter(finished)) this.store.patch("result", { files: await tuner.export() });
    } catch (error) {
      if (codeOf(error) === "crashed") this.model.drop();
      this.store.patch("result", { exportError: messageOf(error) });
    }
    this.onFinished();
  }

  /** Shows what went wrong and where, and puts the result of the run before back into the engine. */
  async #fail(error: unknown, restore: (() => Promise<void>) | undefined): Promise<void> {
    const { store } = this;
    const message = messageOf(error);
    if (codeOf(error) === "crashed") {
      this.model.drop();
      const rest = store.state.result.files ? "; what was tuned before can still be exported" : "";
      store.patch("run", { error: `${message} Load the model again to continue${rest}.` });
      return;
    }
    const field = fieldOfError(this.task.fields, error);
    store.patch("run", { error: message, fieldErrors: field ? { [field.path]: field.reason } : {} });
    if (!restore) return;
    try {
      await restore();
    } catch (second) {
      if (codeOf(second) === "crashed") this.model.drop();
      store.patch("run", {
        error: `${message} The result of the run before can still be exported, but not tried: ${messageOf(second)}`,
      });
    }
  }
}
