/** The further ways to export a tuned language model: a GGUF file, and the merged model file by file. */
import { ExportActions } from "../../desk/actions/export";
import { fileName, modelName } from "../../desk/file-names";
import { download } from "../../ui/files";
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

  async merged(): Promise<void> {
    await this.exportWhole("merged", "merged", "Merging the adapter into the weights");
  }
}
