/**
 * Enters: what was tuned. Leaves: a PEFT zip, a GGUF file, a merged folder on disk; and the way back for a PEFT folder.
 */
import type { LanguageTuner } from "webtune";
import { pickFolder, type Sink, ZipSink } from "../../desk/download-targets";
import { fileName } from "../../desk/file-names";
import { adapterFiles, download, type Folder, writeZip } from "../../ui/files";
import { bytes, codeOf, messageOf } from "../../ui/format";
import { emptyResult, type LanguageResultState, type LanguageStore } from "../state";

export class LeaveActions {
  constructor(
    private readonly store: LanguageStore,
    private readonly tuner: () => LanguageTuner | undefined,
    /** The engine is gone, and with it the model. */
    private readonly crashed: () => void,
  ) {}

  async peft(): Promise<void> {
    await this.#leave("Packing the adapter", async () => {
      const files = this.store.state.result.files ?? (await this.#tuner().exportLanguageAdapter());
      const name = `${this.#name()}-adapter.zip`;
      download(name, writeZip(files), "application/zip");
      this.store.patch("result", { files });
      return `${name} was handed to the browser's downloads.`;
    });
  }

  async gguf(): Promise<void> {
    await this.#leave("Writing the GGUF file", async () => {
      const names: string[] = [];
      for (const { path, bytes: content } of await this.#tuner().exportGguf()) {
        const name = `${this.#name()}-${fileName(path)}`;
        download(name, new Uint8Array(content), "application/octet-stream");
        names.push(name);
      }
      return `${names.join(" and ")} was handed to the browser's downloads.`;
    });
  }

  /** Into a folder that the person chooses where the browser has such a thing, otherwise as one zip. */
  async merged(): Promise<void> {
    let sink: Sink;
    try {
      const name = `${this.#name()}-merged`;
      sink = (await pickFolder(name)) ?? new ZipSink(`${name}.zip`);
    } catch (error) {
      // Closing the browser's dialog is no failure.
      if (codeOf(error) !== "aborted") this.store.patch("result", { exportError: messageOf(error) });
      return;
    }
    await this.#leave("Folding the adapter into the weights", async () => {
      let written = 0;
      try {
        await this.#tuner().exportMerged(async (piece) => {
          if (piece instanceof Uint8Array) {
            await sink.write(piece);
            written += piece.length;
            this.store.patch("result", {
              leaving: `Written ${bytes(written)} to ${sink.name}`,
            });
          } else if ("open" in piece) await sink.open(piece.open.path);
          else await sink.close();
        });
      } catch (error) {
        await sink.abandon();
        throw error;
      }
      return sink.finish();
    });
  }

  async import(folder: Folder): Promise<void> {
    const { store } = this;
    const tuner = this.tuner();
    if (!tuner || folder.files.length === 0) return;
    store.patch("result", { busy: true, importError: undefined, importNote: undefined });
    try {
      const files = await adapterFiles(folder);
      await tuner.importLanguageAdapter(files);
      const name = folder.files.length === 1 ? (folder.files[0]?.path ?? "") : folder.name || "the chosen files";
      const importNote = `The adapter in ${name} is loaded and ready to try.`;
      store.patch("result", {
        ...emptyResult(store.state.result.version + 1),
        origin: "imported",
        model: tuner.model.name,
        files,
        importNote,
      });
      store.announce(importNote);
    } catch (error) {
      if (tuner !== this.tuner()) return;
      store.patch("result", { importError: messageOf(error) });
      if (codeOf(error) === "crashed") this.crashed();
    } finally {
      store.patch("result", { busy: false });
    }
  }

  async #leave(leaving: string, work: () => Promise<string>): Promise<void> {
    const { store } = this;
    const { version } = store.state.result;
    /** Another result may have come meanwhile, of which nothing has left. */
    const patch = (change: Partial<LanguageResultState>) => {
      if (store.state.result.version === version) store.patch("result", change);
    };
    patch({ busy: true, leaving, exportError: undefined, exportNote: undefined });
    try {
      const exportNote = await work();
      patch({ exported: true, exportNote });
      store.announce(exportNote);
    } catch (error) {
      patch({ exportError: messageOf(error) });
      if (codeOf(error) === "crashed") this.crashed();
    } finally {
      patch({ busy: false, leaving: undefined });
    }
  }

  #tuner(): LanguageTuner {
    const tuner = this.tuner();
    if (!tuner) throw new Error("Load a model first.");
    return tuner;
  }

  #name(): string {
    const model = this.store.state.result.model;
    return fileName(model.split("/").filter(Boolean).pop() ?? "model");
  }
}
