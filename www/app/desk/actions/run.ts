/** Starts, pauses and stops runs, lets them go on where their engine was lost, and takes the exported files as soon as one has ended. */
import { type ExportedFile, type TrainingRun, WebtuneError } from "webtune";
import { codeOf, count, messageOf } from "../../ui/format";
import { chosenBase } from "../base-name";
import { checkpointSeconds, GoingRun } from "../going-run";
import { fieldOfError, readOptions } from "../read-options";
import { holdRun } from "../run-lock";
import { keptForm } from "../source-form";
import { type DeskState, emptyRun } from "../state";
import type { Store } from "../store";
import type { Task, TaskTypes } from "../task";
import { TimeLeft } from "../time-left";
import { newRunId, type Place, type UnfinishedRun } from "../unfinished-runs";
import { keepScreenOn } from "../wake-lock";
import { type ModelActions, stopped } from "./model";
import { RunEvents } from "./run-events";

/** The run itself is whole, but nothing could go on with it now. */
class CutOff extends Error {}

/** A run ended by an error after which another engine may do better. */
class Lost extends Error {
  constructor(
    message: string,
    readonly next: { onCpu: boolean },
  ) {
    super(message);
  }
}

export abstract class RunActions<T extends TaskTypes> extends RunEvents<T> {
  #run: TrainingRun<T["event"]> | undefined;
  /** What a person asked of a run before its engine was lost, for when the run is where it was. */
  #wish: "pause" | "stop" | undefined;
  /** A run has ended that can go on later. */
  onCutOff: () => void = () => undefined;

  constructor(
    store: Store<DeskState<T>>,
    protected readonly model: ModelActions<T>,
    private readonly task: Task<T>,
  ) {
    super(store);
  }

  /** Settings that are not in the drawer. */
  protected moreOptions(_rows: readonly T["row"][], options: T["options"]): T["options"] {
    return options;
  }

  /** The reverse, for a run that goes on. */
  bringBack(_options: T["options"]): void {}

  /** What the rows were read from. */
  protected dataName(): string {
    return "rows";
  }

  /** Before its first event, once for each engine. */
  protected onBegin(_run: UnfinishedRun): void {}

  /** What a finished run leaves can be exported as an adapter. */
  protected hasAdapter(_finished: T["finished"]): boolean {
    return true;
  }

  /** After the files of a finished run were taken. */
  protected onFinished(): void {}

  async start(rows: readonly T["row"][]): Promise<void> {
    const { store, task } = this;
    const { tuner, opened } = this.model;
    if (!tuner || !opened) return;
    const fields = store.state.run.options;
    const { options, errors } = readOptions<T["options"]>(task.fields, fields);
    if (Object.keys(errors).length > 0) {
      store.patch("run", { fieldErrors: errors, error: "Some options cannot be read; they are marked below." });
      return;
    }
    const { form, device, storage } = opened;
    const about: UnfinishedRun = {
      id: newRunId(),
      task: task.name,
      startedAt: Date.now(),
      model: { name: tuner.model.name, form: keptForm(form), device, storage },
      options: this.moreOptions(rows, options),
      fields,
      data: this.dataName(),
      rowCount: rows.length,
      states: [],
    };
    await this.#go(new GoingRun<T>(about, rows, holdRun(about.id), false, this.#onTrouble), async (run) => {
      store.announce("Training starts.");
      await this.#toTheEnd(run, undefined);
    });
  }

  /** From storage, with its model loaded. Gives why it cannot: it stays in storage then. */
  async continue(about: UnfinishedRun, rows: readonly T["row"][], free: () => void): Promise<string | undefined> {
    let refused: string | undefined;
    const run = new GoingRun<T>(about, rows, Promise.resolve(free), true, this.#onTrouble);
    await this.#go(run, async () => {
      this.store.announce("Training continues.");
      try {
        await this.#fromStorage(run);
      } catch (error) {
        if (run.hasStarted) throw error;
        refused = messageOf(error);
        throw new CutOff();
      }
    });
    return refused;
  }

  pause(): void {
    this.#run?.pause();
    this.store.patch("run", { status: "paused" });
    this.store.announce("Training is paused.");
  }

  resume(): void {
    this.time.restartClock();
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

  /** Shows a run, and clears up behind it whatever its end is. */
  async #go(run: GoingRun<T>, work: (run: GoingRun<T>) => Promise<void>): Promise<void> {
    const { store } = this;
    const before = store.state.result.files;
    const letScreenGoOut = keepScreenOn();
    store.patch("run", { ...emptyRun(store.state.run.options), status: "starting" });
    let isCutOff = false;
    try {
      await work(run);
    } catch (error) {
      isCutOff = error instanceof CutOff;
      if (error instanceof CutOff) store.patch("run", { error: error.message || undefined });
      // Before it has started, the result of the run before is still in the engine.
      else await this.#fail(error, run.hasStarted ? before : undefined);
    } finally {
      this.#run = undefined;
      this.#wish = undefined;
      letScreenGoOut();
      store.patch("run", { status: "idle", etaMs: undefined });
    }
    if (!isCutOff) await run.end();
    else {
      await run.release();
      if (run.isStored) this.onCutOff();
    }
  }

  /** The newest state, or the one before if that is damaged. */
  async #fromStorage(run: GoingRun<T>): Promise<void> {
    const { states } = run.about;
    if (states.length === 0) return this.#toTheEnd(run, undefined);
    let refusal: unknown = new Error("its states are not in this browser's storage any more");
    for (const kept of states) {
      const state = await run.takeState(kept);
      if (!state) continue;
      try {
        return await this.#toTheEnd(run, state);
      } catch (error) {
        if (codeOf(error) !== "invalidFile" || run.hasStarted) throw error;
        refusal = error;
      }
    }
    throw refusal;
  }

  /** On as many engines as it takes. */
  async #toTheEnd(run: GoingRun<T>, from: Uint8Array | undefined): Promise<void> {
    let state = from;
    for (;;) {
      try {
        await this.#onOneEngine(run, state);
        return;
      } catch (error) {
        const next = error instanceof Lost ? error.next : this.#afterLoss(run, codeOf(error));
        if (!next) throw error;
        state = await this.#otherEngine(run, messageOf(error), next.onCpu);
      }
    }
  }

  #afterLoss(run: GoingRun<T>, code: string | undefined): { onCpu: boolean } | undefined {
    const { hasStarted, usedGpu, place } = run;
    return run.losses.next({ code, hasStarted, usedGpu, hasState: place !== undefined });
  }

  async #onOneEngine(run: GoingRun<T>, from: Uint8Array | undefined): Promise<void> {
    const tuner = await this.model.revive();
    this.time = new TimeLeft();
    this.onBegin(run.about);
    run.usedGpu ||= tuner.device.device === "webgpu";
    const back = from && run.place;
    const checkpoint = {
      everySeconds: checkpointSeconds(),
      write: (bytes: Uint8Array) => run.keepState(bytes, this.#place()),
    };
    const events = this.task.train(tuner, run.rows, run.options, checkpoint, from);
    this.#run = events;
    let steps = 0;
    try {
      for await (const event of events) {
        if (event.type === "step") steps += 1;
        if (event.type === "finished") {
          const { error = "an error", errorCode } = event as T["finished"];
          const next = errorCode && this.#afterLoss(run, errorCode);
          if (next) throw new Lost(error, next);
        }
        this.take(event);
        if (event.type === "started") {
          // From here on the run before is in no engine but this one.
          this.model.tuneAgain = undefined;
          void run.start();
        }
        if (event.type === "finished") {
          const finished = event as T["finished"];
          await this.#takeFiles(tuner, finished);
          const end = finished.reason === "stopped" ? steps : undefined;
          if (!this.hasAdapter(finished)) this.model.tuneAgain = (other) => this.#again(run, end, other);
          return;
        }
        if (this.#wish && this.#place().step >= (back?.step ?? 0)) this.#grant();
      }
    } finally {
      this.#run = undefined;
    }
  }

  /**
   * What a finished run found, in another engine, where it is too large for files in memory: from the run's last state to where it ended.
   *
   * @param end How many steps it had if a person stopped it.
   */
  async #again(run: GoingRun<T>, end: number | undefined, tuner: T["tuner"]): Promise<void> {
    const from = run.place ? `from step ${count(run.place.step)} on` : "from the start";
    this.#tell(`The engine stopped. What was tuned is computed again ${from}.`);
    const events = this.task.train(tuner, run.rows, run.options, undefined, await run.lastState());
    let steps = 0;
    for await (const event of events) {
      if (event.type === "step") steps += 1;
      if (end !== undefined && steps >= end) events.stop();
    }
    this.#tell(`The engine stopped. What was tuned was computed again ${from}.`);
  }

  #tell(recovery: string): void {
    this.store.patch("run", { recovery });
    this.store.announce(recovery);
  }

  /** Gives the state to go on from. */
  async #otherEngine(run: GoingRun<T>, message: string, onCpu: boolean): Promise<Uint8Array | undefined> {
    const { store } = this;
    const { status, options, storageTrouble } = store.state.run;
    this.#wish ??= status === "paused" ? "pause" : status === "stopping" ? "stop" : undefined;
    const reason = `${stopped(message)}.`;
    const recovery = `${reason} The model is loaded again.`;
    store.patch("run", { ...emptyRun(options), status: "reloading", recovery, storageTrouble });
    store.announce(recovery);
    try {
      await this.model.reopen(onCpu ? "cpu" : undefined);
    } catch (error) {
      throw new CutOff(`${reason} The model could not be loaded again: ${messageOf(error)}`);
    }
    const state = await run.lastState();
    const where = run.place && state ? `continued at step ${count(run.place.step)}` : "began anew";
    const words = `${reason} The run ${where}${onCpu ? " on the CPU engine" : ""}.`;
    store.patch("run", { status: "starting", recovery: words });
    store.announce(words);
    return state;
  }

  #grant(): void {
    const wish = this.#wish;
    this.#wish = undefined;
    if (wish === "pause") this.pause();
    else this.stop();
  }

  #place(): Place {
    const { step, totalSteps } = this.store.state.run.curves;
    return { step, totalSteps, at: Date.now() };
  }

  readonly #onTrouble = (storageTrouble: string): void => {
    this.store.patch("run", { storageTrouble });
  };

  /** At once, so that they survive whatever happens to the engine later. */
  async #takeFiles(tuner: T["tuner"], finished: T["finished"]): Promise<void> {
    try {
      const baseName = chosenBase(this.store.state.model);
      if (this.hasAdapter(finished)) {
        this.store.patch("result", { files: await tuner.export({ baseName }), filesBase: baseName });
      }
    } catch (error) {
      // The result went with the engine, and comes again from the last state.
      if (tuner.closed) throw error;
      this.store.patch("result", { exportError: messageOf(error) });
    }
    this.onFinished();
  }

  /** Shows what went wrong and where, and puts the result of the run before back into the engine. */
  async #fail(error: unknown, before: ExportedFile[] | undefined): Promise<void> {
    const { store } = this;
    const message = messageOf(error);
    if (this.model.tuner?.closed) {
      const rest = before ? " What was tuned before is back." : "";
      store.patch("run", { error: `${message} The run was given up. The model is loaded again.${rest}` });
      if (before) store.patch("result", { files: before });
      await this.model.revive().catch((second: unknown) => store.patch("run", { error: messageOf(second) }));
      return;
    }
    const field = fieldOfError(this.task.fields, error);
    const remedy = error instanceof WebtuneError ? error.remedy : undefined;
    store.patch("run", { error: message, remedy, fieldErrors: field ? { [field.path]: field.reason } : {} });
    if (!before) return;
    try {
      await this.model.use((tuner) => tuner.import(before));
    } catch (second) {
      store.patch("run", {
        error: `${message} The result of the run before can still be exported, but not tried: ${messageOf(second)}`,
      });
    }
  }
}
