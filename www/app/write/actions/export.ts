/** The further ways to export a tuned language model: a GGUF file, and the merged model file by file. */
import { ExportActions } from "../../desk/actions/export";
import { type DownloadTarget, pickFolder, ZipTarget } from "../../desk/download-targets";
import { fileName, modelName } from "../../desk/file-names";
import { download } from "../../ui/files";
import { bytes, codeOf, messageOf } from "../../ui/format";
import type { WriteTypes } from "../state";

export class WriteExportActions extends ExportActions<WriteTypes> {
  async gguf(): Promise<void> {
    await this.export("Writing the GGUF file", async () => {
      const names: string[] = [];
      const options = { format: "gguf", baseName: this.baseName } as const;
      for (const { path, bytes: content } of await this.model.use((tuner) => tuner.export(options))) {
        const name = `${modelName(this.store.state.result.model)}-${fileName(path)}`;
        download(name, new Uint8Array(content), "application/octet-stream");
        names.push(name);
      }
      return `${names.join(" and ")} was handed to the browser's downloads.`;
    });
  }

  /** Into a folder that the person chooses if the browser has such a dialog, if not as one zip. */
  async merged(): Promise<void> {
    const name = `${modelName(this.store.state.result.model)}-merged`;
    let target: DownloadTarget;
    try {
      target = (await pickFolder(name)) ?? new ZipTarget(`${name}.zip`);
    } catch (error) {
      // Closing the browser's dialog is no failure.
      if (codeOf(error) !== "aborted") this.store.patch("result", { exportError: messageOf(error) });
      return;
    }
    await this.export("Merging the adapter into the weights", async () => {
      const tuner = await this.model.revive();
      return target.save(tuner.exportPieces({ format: "merged", baseName: this.baseName }), (written) => {
        this.store.patch("result", { exporting: `Written ${bytes(written)} to ${target.name}` });
      });
    });
  }
}
