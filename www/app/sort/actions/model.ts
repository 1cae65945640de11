/**
 * Enters: a source and a device. Leaves: the one `FineTuner` of the page, loaded, or a message with the old one kept.
 */
import { FineTuner, type ModelSource } from "webtune";
import { Loading } from "../../desk/loading";
import { emptyRun, type Store } from "../state";

export class ModelActions {
  readonly #loading = new Loading<FineTuner>();

  constructor(private readonly store: Store) {}

  get tuner(): FineTuner | undefined {
    return this.#loading.current;
  }

  async load(source: ModelSource): Promise<void> {
    const { store } = this;
    const { device, storage } = store.state.model;
    store.patch("model", { status: "loading", error: undefined });
    await this.#loading.load((options) => FineTuner.load(source, { device, storage, ...options }), {
      progress: (progress) => store.patch("model", { progress }),
      ready: ({ model: info, device: report }) => {
        store.patch("model", { status: "ready", info, report, progress: undefined, error: undefined });
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
      },
      failed: (error) => {
        store.patch("model", { status: this.tuner ? "ready" : "empty", progress: undefined, error });
        if (!error) store.announce("Loading was cancelled.");
      },
    });
  }

  /** After a crash of the engine. Files that were taken before stay. */
  drop(): void {
    this.#loading.drop();
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
    this.#loading.cancel();
  }
}
