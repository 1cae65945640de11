/** Loads models: one at a time, and the one before is given up only once the next one is there. */
import type { DeviceChoice, LoadProgress, ModelSource, WeightStorage } from "webtune";
import { bytes, codeOf, messageOf, percent } from "../../ui/format";
import { lookAtShelf } from "../kept-shelf";
import type { SourceForm } from "../source-form";
import { type DeskState, emptyResult, emptyRun, type Progress } from "../state";
import type { Store } from "../store";
import type { Task, TaskTypes } from "../task";

/** How the model was loaded, and can be again. */
export interface Opened {
  source: ModelSource;
  /** In which the person described the source. */
  form: SourceForm;
  device: DeviceChoice;
  storage: WeightStorage;
}

export class ModelActions<T extends TaskTypes> {
  tuner: T["tuner"] | undefined;
  opened: Opened | undefined;
  /** Puts what was tuned into another engine where no files hold it. */
  tuneAgain: ((tuner: T["tuner"]) => Promise<void>) | undefined;
  #loading: AbortController | undefined;
  #reopening: Promise<void> | undefined;
  #reviving: Promise<T["tuner"]> | undefined;

  constructor(
    private readonly store: Store<DeskState<T>>,
    private readonly task: Pick<Task<T>, "load">,
  ) {}

  /** Gives whether it is there. */
  async load(source: ModelSource, form: SourceForm): Promise<boolean> {
    const { store } = this;
    const { device, storage } = store.state.model;
    const opened = { source, form, device, storage };
    try {
      const loaded = await this.#open(opened);
      if (!loaded) return false;
      this.#take(loaded, opened);
      this.tuneAgain = undefined;
      store.patch("model", { baseName: undefined });
      store.patch("run", emptyRun(store.state.run.options));
      store.patch("result", emptyResult(store.state.result.version + 1));
      store.announce(`Model ${loaded.model.name} is loaded. ${loaded.device.reason}`);
      return true;
    } catch (error) {
      const cancelled = codeOf(error) === "aborted";
      store.patch("model", { error: cancelled ? undefined : messageOf(error) });
      if (cancelled) store.announce("Loading was cancelled.");
      return false;
    }
  }

  /**
   * Work on the engine. If the engine is lost, the model is loaded again with what was tuned, and the work begins once more. If it is
   * lost a second time, the next call finds another engine.
   *
   * @throws what `work` throws, and what loading throws.
   */
  async use<R>(work: (tuner: T["tuner"]) => Promise<R>): Promise<R> {
    const tuner = await this.revive();
    try {
      return await work(tuner);
    } catch (error) {
      // Another model may have taken this one's place.
      if (!tuner.closed || tuner !== this.tuner) throw error;
      return work(await this.revive());
    }
  }

  /** Gives an engine that works: if the present one is lost another, with what was tuned, from its files or from its run's last state. */
  async revive(): Promise<T["tuner"]> {
    await this.#reopening;
    // Who comes meanwhile waits until what was tuned is in it.
    if (this.#reviving) return this.#reviving;
    const { tuner } = this;
    if (!tuner) throw new Error("Load a model first.");
    if (!tuner.closed) return tuner;
    this.#reviving = this.#revive(stopped(messageOf(tuner.closed))).finally(() => {
      this.#reviving = undefined;
    });
    return this.#reviving;
  }

  async #revive(reason: string): Promise<T["tuner"]> {
    const { store, tuneAgain } = this;
    const { files, origin } = store.state.result;
    store.announce(`${reason}. The model is loaded again.`);
    const loseResult = (why = "") => {
      if (origin && !files) store.patch("run", { error: `${reason}, and the tuned model is lost with it${why}.` });
    };
    try {
      await this.reopen();
      if (!tuneAgain) loseResult();
      const revived = this.tuner;
      if (!revived) throw new Error("another model was loaded meanwhile");
      if (files) await revived.import(files);
      else if (tuneAgain) {
        await tuneAgain(revived).catch((error: unknown) => {
          // Once more would be no better.
          this.tuneAgain = undefined;
          store.patch("result", emptyResult(store.state.result.version + 1));
          loseResult(`: ${messageOf(error).replace(/\.$/, "")}`);
        });
      }
      return revived;
    } catch (error) {
      const message = `${reason}, and the model could not be loaded again: ${messageOf(error)}`;
      store.patch("model", { error: message });
      loseResult();
      throw new Error(message);
    }
  }

  /**
   * The same model in another engine, in place of one that is lost. Files of the result before it stay.
   *
   * @param device in place of the one that was chosen.
   */
  async reopen(device?: DeviceChoice): Promise<void> {
    // A run and a call of the person may find the same loss.
    this.#reopening ??= this.#reopen(device).finally(() => {
      this.#reopening = undefined;
    });
    await this.#reopening;
  }

  async #reopen(device: DeviceChoice | undefined): Promise<void> {
    const { store, opened } = this;
    if (!opened) throw new Error("Load a model first.");
    this.tuner?.dispose();
    this.tuner = undefined;
    const { files, version } = store.state.result;
    if (!files && !this.tuneAgain) store.patch("result", emptyResult(version + 1));
    const again = { ...opened, device: device ?? opened.device };
    try {
      const loaded = await this.#open(again);
      if (!loaded) throw new Error("another model was loaded meanwhile");
      this.#take(loaded, again);
    } catch (error) {
      if (!this.tuner) store.patch("model", { info: undefined, report: undefined });
      throw error;
    }
  }

  /** Undefined if another model was asked for meanwhile. */
  async #open({ source, device, storage }: Opened): Promise<T["tuner"] | undefined> {
    const { store } = this;
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    const isLatest = () => this.#loading === loading;
    const progress = { text: "Starting the engine" };
    store.patch("model", { status: "loading", error: undefined, notices: [], progress });
    const onProgress = (progress: LoadProgress) => {
      if (!isLatest()) return;
      if ("notice" in progress) this.#notice(progress.notice);
      else store.patch("model", { progress: inWords(progress) });
    };
    try {
      const loaded = await this.task.load(source, { device, storage, signal: loading.signal, onProgress });
      if (isLatest()) return loaded;
      loaded.dispose();
      return undefined;
    } catch (error) {
      if (!isLatest()) return undefined;
      store.patch("model", { status: this.tuner ? "ready" : "empty", progress: undefined });
      throw error;
    } finally {
      void lookAtShelf();
    }
  }

  #notice(notice: string): void {
    const { notices = [] } = this.store.state.model;
    if (!notices.includes(notice)) this.store.patch("model", { notices: [...notices, notice] });
  }

  cancel(): void {
    this.#loading?.abort();
  }

  protected onLoaded(_source: ModelSource): void {}

  #take(loaded: T["tuner"], opened: Opened): void {
    this.tuner?.dispose();
    this.tuner = loaded;
    this.opened = opened;
    const { model: info, device: report, base } = loaded;
    this.store.patch("model", { status: "ready", info, report, base, progress: undefined });
    this.onLoaded(opened.source);
  }
}

/** The first half of a sentence on an engine that is lost. */
export const stopped = (message: string): string => `The engine stopped (${message.replace(/\.$/, "")})`;

function inWords(progress: Exclude<LoadProgress, { notice: string }>): Progress {
  if ("phase" in progress) return { text: progress.phase };
  const { file, loaded, total } = progress;
  if (total <= 0) return { text: `${file}: ${bytes(loaded)}` };
  const share = loaded / total;
  return { text: `${file}: ${bytes(loaded)} of ${bytes(total)} (${percent(share, 0)})`, share };
}
