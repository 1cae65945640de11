/** Loads models: one at a time, and the one before is given up only once the next one is there. */
import type { LoadProgress, ModelSource } from "webtune";
import { bytes, codeOf, messageOf, percent } from "../../ui/format";
import { type DeskState, emptyResult, emptyRun, type Progress } from "../state";
import type { Store } from "../store";
import type { Task, TaskTypes } from "../task";

export class ModelActions<T extends TaskTypes> {
  tuner: T["tuner"] | undefined;
  #loading: AbortController | undefined;

  constructor(
    private readonly store: Store<DeskState<T>>,
    private readonly task: Pick<Task<T>, "load">,
  ) {}

  async load(source: ModelSource): Promise<void> {
    const { store } = this;
    const { device, storage } = store.state.model;
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    const isLatest = () => this.#loading === loading;
    store.patch("model", { status: "loading", error: undefined, progress: { text: "Starting the engine" } });
    const onProgress = (progress: LoadProgress) => {
      if (isLatest()) store.patch("model", { progress: inWords(progress) });
    };
    try {
      const loaded = await this.task.load(source, { device, storage, signal: loading.signal, onProgress });
      if (isLatest()) {
        this.#take(loaded);
        this.onLoaded(source);
      } else loaded.dispose();
    } catch (error) {
      if (!isLatest()) return;
      const cancelled = codeOf(error) === "aborted";
      const message = cancelled ? undefined : messageOf(error);
      store.patch("model", { status: this.tuner ? "ready" : "empty", progress: undefined, error: message });
      if (cancelled) store.announce("Loading was cancelled.");
    }
  }

  cancel(): void {
    this.#loading?.abort();
  }

  /** After a crash of the engine, which takes the model with it. Files that were exported before stay. */
  drop(): void {
    const { store } = this;
    this.tuner?.dispose();
    this.tuner = undefined;
    const { status } = store.state.model;
    store.patch("model", {
      // Another model may be loading already.
      status: status === "loading" ? status : "empty",
      info: undefined,
      report: undefined,
      error: "The engine crashed. Load the model again.",
    });
    const { origin, files, version } = store.state.result;
    store.patch("result", { importNote: undefined });
    if (origin !== "trained" || files) return;
    store.patch("result", emptyResult(version + 1));
    store.patch("run", { error: "The engine crashed, and the tuned model is lost with it." });
  }

  protected onLoaded(_source: ModelSource): void {}

  #take(loaded: T["tuner"]): void {
    const { store } = this;
    this.tuner?.dispose();
    this.tuner = loaded;
    const { model: info, device: report } = loaded;
    store.patch("model", { status: "ready", info, report, progress: undefined });
    store.patch("run", emptyRun(store.state.run.options));
    store.patch("result", emptyResult(store.state.result.version + 1));
    store.announce(`Model ${info.name} is loaded. ${report.reason}`);
  }
}

function inWords(progress: LoadProgress): Progress {
  if ("phase" in progress) return { text: progress.phase };
  const { file, loaded, total } = progress;
  if (total <= 0) return { text: `${file}: ${bytes(loaded)}` };
  const share = loaded / total;
  return { text: `${file}: ${bytes(loaded)} of ${bytes(total)} (${percent(share, 0)})`, share };
}
