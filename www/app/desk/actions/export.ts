/** Exports what was tuned as a zip, and imports such a zip or its folder. */
import type { ExportedFile, ExportFormat } from "webtune";
import { download, type Folder, writeZip } from "../../ui/files";
import { bytes, codeOf, messageOf } from "../../ui/format";
import { adapterFiles } from "../adapter-files";
import { chosenBase } from "../base-name";
import { type DownloadTarget, pickFolder, ZipTarget } from "../download-targets";
import { modelName, zipName } from "../file-names";
import { type DeskState, emptyResult, type ResultState } from "../state";
import type { Store } from "../store";
import type { TaskTypes } from "../task";
import type { ModelActions } from "./model";

export class ExportActions<T extends TaskTypes> {
  constructor(
    protected readonly store: Store<DeskState<T>>,
    protected readonly model: ModelActions<T>,
  ) {}

  /** The name of the base model in files. */
  protected get baseName(): string | undefined {
    return chosenBase(this.store.state.model);
  }

  async adapter(): Promise<void> {
    await this.export("Packing the files", async () => {
      const { files: taken, filesBase, model, finished } = this.store.state.result;
      const { baseName } = this;
      const isSame = taken !== undefined && baseName === filesBase;
      const files = isSame ? taken : await this.model.use((tuner) => tuner.export({ baseName }));
      const name = zipName(model, finished?.options.method.type);
      download(name, writeZip(files), "application/zip");
      this.store.patch("result", { files, filesBase: baseName });
      return `${name} was handed to the browser's downloads.`;
    });
  }

  /**
   * Exports a whole model, whose files are too large to be held: into a folder that the person chooses if the browser has such a dialog, if
   * not as one zip. `ending`: of the folder's name.
   */
  protected async exportWhole(format: ExportFormat, ending: string, exporting: string): Promise<void> {
    const name = `${modelName(this.store.state.result.model)}-${ending}`;
    let target: DownloadTarget;
    try {
      target = (await pickFolder(name)) ?? new ZipTarget(`${name}.zip`);
    } catch (error) {
      // Closing the browser's dialog is no failure.
      if (codeOf(error) !== "aborted") this.store.patch("result", { exportError: messageOf(error) });
      return;
    }
    await this.export(exporting, async () => {
      const tuner = await this.model.revive();
      return target.save(tuner.exportPieces({ format, baseName: this.baseName }), (written) => {
        this.store.patch("result", { exporting: `Written ${bytes(written)} to ${target.name}` });
      });
    });
  }

  async import(folder: Folder): Promise<void> {
    const { store } = this;
    if (!this.model.tuner || folder.files.length === 0) return;
    let at = this.model.tuner;
    store.patch("result", { busy: true, importError: undefined, importNote: undefined });
    try {
      const files = await adapterFiles(folder);
      const found = await this.model.use(async (tuner) => {
        at = tuner;
        await tuner.import(files);
        this.model.tuneAgain = undefined;
        return this.imported(tuner, files);
      });
      const name = folder.files.length === 1 ? (folder.files[0]?.path ?? "") : folder.name || "the chosen files";
      const importNote = `The adapter in ${name} is loaded and ready to try.`;
      store.patch("result", {
        ...emptyResult(store.state.result.version + 1),
        origin: "imported",
        model: at.model.name,
        files,
        importNote,
        ...found,
      });
      store.announce(importNote);
    } catch (error) {
      // Another model may have taken this one's place.
      if (at !== this.model.tuner) return;
      store.patch("result", { importError: messageOf(error) });
    } finally {
      store.patch("result", { busy: false });
    }
  }

  /** What else is to be known of an adapter that has come in. */
  protected async imported(
    _tuner: T["tuner"],
    _files: readonly ExportedFile[],
  ): Promise<Pick<ResultState, "unnamedLabels">> {
    return {};
  }

  nameBase(baseName: string): void {
    this.store.patch("model", { baseName });
  }

  showImportError(importError: string | undefined): void {
    this.store.patch("result", { importError });
  }

  /** Runs one export and shows how it goes. `work` gives the words for its end. */
  protected async export(exporting: string, work: () => Promise<string>): Promise<void> {
    const { store } = this;
    const { version } = store.state.result;
    // Another result may have come meanwhile, of which nothing was exported.
    const patch = (change: Partial<ResultState>) => {
      if (store.state.result.version === version) store.patch("result", change as Partial<ResultState<T>>);
    };
    patch({ busy: true, exporting, exportError: undefined, exportNote: undefined });
    try {
      const exportNote = await work();
      patch({ exported: true, exportNote });
      store.announce(exportNote);
    } catch (error) {
      patch({ exportError: messageOf(error) });
    } finally {
      patch({ busy: false, exporting: undefined });
    }
  }
}
