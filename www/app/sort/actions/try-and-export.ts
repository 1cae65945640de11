/**
 * Enters: texts to try, an adapter to take away or to bring back. Leaves: probabilities, one zip, a loaded adapter.
 */
import type { FineTuner, Prediction } from "webtune";
import { zipName } from "../../desk/file-names";
import { adapterFiles, download, type Folder, writeZip } from "../../ui/files";
import { codeOf, messageOf } from "../../ui/format";
import type { Store } from "../state";

export interface Tried {
  tuned: Prediction;
  baseline?: Prediction;
  /** Why there is nothing to compare with. */
  baselineMissing?: string;
}

export class UseActions {
  constructor(
    private readonly store: Store,
    private readonly tuner: () => FineTuner | undefined,
    /** The engine is gone, and with it the model. */
    private readonly crashed: () => void,
  ) {}

  async predict(text: string): Promise<Tried> {
    const tuner = this.tuner();
    if (!tuner) throw new Error("Load a model first.");
    try {
      return await this.#predictBoth(tuner, text);
    } catch (error) {
      this.#notice(error);
      throw error;
    }
  }

  async #predictBoth(tuner: FineTuner, text: string): Promise<Tried> {
    const [tuned] = await tuner.predict([text], { which: "tuned" });
    if (!tuned) throw new Error("The engine returned no prediction for this text.");
    try {
      const [baseline] = await tuner.predict([text], { which: "baseline" });
      return baseline ? { tuned, baseline } : { tuned };
    } catch (error) {
      // An imported adapter brings no baseline; every other failure is one.
      if (codeOf(error) !== "invalidState") throw error;
      return { tuned, baselineMissing: messageOf(error) };
    }
  }

  async export(): Promise<void> {
    const { store } = this;
    store.patch("result", { busy: true, exportError: undefined });
    try {
      const files = store.state.result.files ?? (await this.tuner()?.exportAdapter());
      if (!files) throw new Error("Load a model first.");
      const { zip } = store.state.result;
      download(zip, writeZip(files), "application/zip");
      store.patch("result", { files, exported: true });
      store.announce(`${zip} was handed to the browser's downloads.`);
    } catch (error) {
      this.#notice(error);
      store.patch("result", { exportError: messageOf(error) });
    } finally {
      store.patch("result", { busy: false });
    }
  }

  async import(folder: Folder): Promise<void> {
    const { store } = this;
    const tuner = this.tuner();
    if (!tuner || folder.files.length === 0) return;
    store.patch("result", { busy: true, importError: undefined, importNote: undefined });
    try {
      const files = await adapterFiles(folder);
      await tuner.importAdapter(files);
      const name = folder.files.length === 1 ? (folder.files[0]?.path ?? "") : folder.name || "the chosen files";
      store.patch("result", {
        finished: undefined,
        origin: "imported",
        files,
        zip: zipName(tuner.model.name),
        exported: true,
        exportError: undefined,
        importNote: `The adapter in ${name} is loaded and ready to try.`,
        version: store.state.result.version + 1,
      });
      store.announce(`The adapter in ${name} is loaded.`);
    } catch (error) {
      this.#notice(error);
      store.patch("result", { importError: messageOf(error) });
    } finally {
      store.patch("result", { busy: false });
    }
  }

  #notice(error: unknown): void {
    if (codeOf(error) === "crashed") this.crashed();
  }
}
