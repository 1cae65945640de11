/** Turns the events that the runs of both desks have into state. */
import { extended } from "../line";
import { type DeskState, emptyResult } from "../state";
import type { Store } from "../store";
import type { TaskTypes } from "../task";
import { TimeLeft } from "../time-left";

/** Evaluations that are kept for the plot and the samples; beyond it every other one goes, but for the best and the last few. */
const MOST_EVALUATIONS = 300;
const LAST = 4;

interface StepEvent {
  step: number;
  epoch: number;
  totalSteps: number;
  loss: number;
  learningRate: number;
  ms: number;
}

export abstract class RunEvents<T extends TaskTypes> {
  protected time = new TimeLeft();

  constructor(protected readonly store: Store<DeskState<T>>) {}

  /** Turns an event into state, with the methods below for what all runs have. */
  protected abstract take(event: T["event"]): void;

  protected takeStarted(started: T["started"]): void {
    const { status } = this.store.state.run;
    this.store.patch("run", { started, status: status === "starting" ? "running" : status });
  }

  protected takePrepared(prepared: { done: number; total: number }): void {
    this.store.patch("run", { prepared, etaMs: this.time.prepared(prepared) });
  }

  protected takeFindings(findings: Partial<T["findings"]>): void {
    this.store.patch("run", { findings: { ...this.store.state.run.findings, ...findings } });
  }

  protected takeStep({ step, epoch, totalSteps, loss, learningRate, ms }: StepEvent, stepsAfter = 0): void {
    const { curves } = this.store.state.run;
    const losses = extended(curves.losses, step, loss);
    const rates = extended(curves.rates, step, learningRate);
    this.store.patch("run", {
      curves: { ...curves, step, epoch, totalSteps, losses, rates },
      etaMs: this.time.step(ms, totalSteps - step + stepsAfter),
    });
  }

  protected takeEvaluation(evaluation: T["evaluation"]): void {
    const { curves } = this.store.state.run;
    const { evaluations, evaluated } = curves;
    const earlier = evaluation.best ? evaluations.map((one) => ({ ...one, best: false })) : evaluations;
    const all = [...earlier, evaluation];
    const isKept = (one: T["evaluation"], index: number) => one.best || index % 2 === 0 || index > all.length - LAST;
    const kept = all.length > MOST_EVALUATIONS ? all.filter(isKept) : all;
    this.store.patch("run", { curves: { ...curves, evaluations: kept, evaluated: evaluated + 1 } });
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
}
