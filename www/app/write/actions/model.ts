/**
 * Enters: a source, a device, a storage. Leaves: the desk's one `LanguageTuner`, and what a run with it would take.
 */
import { LanguageTuner, type ModelSource, readModelConfig } from "webtune";
import { Loading } from "../../desk/loading";
import { bytes, messageOf } from "../../ui/format";
import { emptyLanguageRun, emptyResult, type LanguageStore } from "../state";
import { budgetOf } from "./budget";

export class LanguageModelActions {
  readonly #loading = new Loading<LanguageTuner>();
  #asked = 0;

  constructor(private readonly store: LanguageStore) {}

  get tuner(): LanguageTuner | undefined {
    return this.#loading.current;
  }

  async load(source: ModelSource): Promise<void> {
    const { store } = this;
    const { device, storage } = store.state.model;
    store.patch("model", { status: "loading", error: undefined });
    await this.#loading.load((options) => LanguageTuner.loadLanguageModel(source, { device, storage, ...options }), {
      progress: (progress) => store.patch("model", { progress }),
      ready: ({ model: info, device: report }) => {
        store.patch("model", { status: "ready", info, report, progress: undefined, error: undefined });
        store.patch("run", emptyLanguageRun(store.state.run.options));
        store.patch("result", emptyResult(store.state.result.version + 1));
        store.patch("trying", { base: undefined, tuned: undefined, error: undefined });
        store.announce(`Model ${info.name} is loaded. ${report.reason}`);
        void this.plan(source);
      },
      failed: (error) => {
        store.patch("model", { status: this.tuner ? "ready" : "empty", progress: undefined, error });
        if (!error) store.announce("Loading was cancelled.");
      },
    });
  }

  /** Reads the config.json alone and tells what a run would take. */
  async plan(source: ModelSource): Promise<void> {
    const { store } = this;
    if (store.state.model.config?.source === source) return this.estimate();
    const turn = ++this.#asked;
    store.patch("model", { reading: true, budgetError: undefined });
    try {
      const bytes = await readModelConfig(source);
      if (turn !== this.#asked) return;
      store.patch("model", { config: { source, name: nameOf(source), bytes } });
    } catch (error) {
      if (turn !== this.#asked) return;
      store.patch("model", { reading: false, config: undefined, budget: undefined, budgetError: messageOf(error) });
      return;
    }
    await this.estimate();
  }

  /** With the settings of this moment; the latest request counts. */
  async estimate(): Promise<void> {
    const { store } = this;
    const { config, storage, device } = store.state.model;
    if (!config) return;
    const turn = ++this.#asked;
    store.patch("model", { reading: true });
    try {
      const budget = await budgetOf(config.bytes, storage, device, store.state.run.options);
      if (turn !== this.#asked) return;
      const fits = budget.total <= budget.limit ? "It fits." : "It does not fit.";
      if (!store.state.model.budget) store.announce(`A run takes up to ${bytes(budget.total)}. ${fits}`);
      store.patch("model", { reading: false, budget, budgetError: undefined });
    } catch (error) {
      if (turn !== this.#asked) return;
      store.patch("model", { reading: false, budget: undefined, budgetError: messageOf(error) });
    }
  }

  /** Another source is chosen: what was told is of the old one. */
  forgetPlan(): void {
    this.#asked += 1;
    this.store.patch("model", { reading: false, config: undefined, budget: undefined, budgetError: undefined });
  }

  /** After a crash of the engine. A PEFT folder that was taken before stays. */
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
    const { origin, files, version } = this.store.state.result;
    this.store.patch("result", { importNote: undefined });
    if (origin !== "trained" || files) return;
    // Weights that were tuned as a whole were in the engine alone.
    this.store.patch("result", emptyResult(version + 1));
    this.store.patch("run", { error: "The engine crashed, and what was tuned in it is lost." });
  }

  cancel(): void {
    this.#loading.cancel();
  }
}

function nameOf(source: ModelSource): string {
  if ("repository" in source) return source.repository;
  if ("url" in source) return source.name ?? source.url;
  return source.name ?? "the chosen files";
}
