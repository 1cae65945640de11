/**
 * Enters: a source and a device. Leaves: the one `FineTuner` of the page, loaded, or a message with the old one kept.
 */
import { FineTuner, type LoadProgress, type ModelSource } from "webtune";
import { bytes, codeOf, messageOf, percent } from "../format";
import { emptyRun, type Progress, type Store } from "../state";

export class ModelActions {
  tuner: FineTuner | undefined;
  #loading: AbortController | undefined;

  constructor(private readonly store: Store) {}

  async load(source: ModelSource): Promise<void> {
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    const { store } = this;
    store.patch("model", { status: "loading", error: undefined, progress: { text: "Starting the engine" } });
    try {
      const tuner = await FineTuner.load(source, {
        device: store.state.model.device,
        signal: loading.signal,
        onProgress: (progress) => {
          if (this.#loading === loading) store.patch("model", { progress: inWords(progress) });
        },
      });
      if (this.#loading !== loading) {
        tuner.dispose();
        return;
      }
      // The old model goes only now, so that a failed load loses nothing.
      this.tuner?.dispose();
      this.tuner = tuner;
      const { model: info, device: report } = tuner;
      store.patch("model", { status: "ready", info, report, progress: undefined });
      store.patch("run", emptyRun(store.state.run.options));
      store.patch("result", {
        finished: undefined,
        origin: undefined,
        files: undefined,
        exported: true,
        exportError: undefined,
        importNote: undefined,
        importError: undefined,
        version: store.state.result.version + 1,
      });
      store.announce(`Model ${info.name} is loaded. ${report.reason}`);
    } catch (error) {
      if (this.#loading !== loading) return;
      const aborted = codeOf(error) === "aborted";
      store.patch("model", {
        status: this.tuner ? "ready" : "empty",
        progress: undefined,
        error: aborted ? undefined : messageOf(error),
      });
      if (aborted) store.announce("Loading was cancelled.");
    } finally {
      if (this.#loading === loading) this.#loading = undefined;
    }
  }

  /** After a crash of the engine: nothing can be asked of it any more. Files that were taken before stay. */
  drop(): void {
    this.tuner?.dispose();
    this.tuner = undefined;
    const { status } = this.store.state.model;
    this.store.patch("model", {
      // Another model may be on its way already.
      status: status === "loading" ? status : "empty",
      info: undefined,
      report: undefined,
      error: "The engine crashed. Load the model again.",
    });
    this.store.patch("result", { importNote: undefined });
  }

  cancel(): void {
    this.#loading?.abort();
  }
}

function inWords(progress: LoadProgress): Progress {
  if ("phase" in progress) return { text: progress.phase };
  const { file, loaded, total } = progress;
  if (total <= 0) return { text: `${file}: ${bytes(loaded)}` };
  const share = loaded / total;
  return { text: `${file}: ${bytes(loaded)} of ${bytes(total)} (${percent(share, 0)})`, share };
}
