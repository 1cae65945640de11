/**
 * The further ways to export a tuned classifier: one ONNX graph, with the files that transformers.js needs next to it; and the names of labels
 * that an imported adapter lacks.
 */
import type { ExportedFile, TextClassifier } from "webtune";
import { ExportActions } from "../../desk/actions/export";
import type { ResultState } from "../../desk/state";
import { messageOf } from "../../ui/format";
import type { SortTypes } from "../state";

/** What an adapter of ours, and no other, has its labels in. */
const LABELS = "labels.json";

export class SortExportActions extends ExportActions<SortTypes> {
  async onnx(format: "onnx" | "onnx-fp16"): Promise<void> {
    await this.exportWhole(format, format, "Writing the ONNX graph");
  }

  /** The engine has given names to labels that have none; they are read off an answer. */
  protected override async imported(
    tuner: TextClassifier,
    files: readonly ExportedFile[],
  ): Promise<Pick<ResultState, "unnamedLabels">> {
    if (files.some(({ path }) => path === LABELS)) return {};
    const [answer] = await tuner.predict(["."]);
    return { unnamedLabels: answer?.labels };
  }

  /** Imports the adapter again, with these names for its labels: `typed` has them in order, separated by commas or on lines of their own. */
  async nameLabels(typed: string): Promise<void> {
    const { store, baseName } = this;
    const { files, version } = store.state.result;
    if (!files) return;
    const labels = namesIn(typed);
    store.patch("result", { busy: true, importError: undefined });
    try {
      const named = await this.model.use(async (tuner) => {
        await tuner.import(files, { labels });
        return tuner.export({ baseName });
      });
      const importNote = `The labels are ${labels.join(", ")}.`;
      store.patch("result", {
        version: version + 1,
        files: named,
        filesBase: baseName,
        unnamedLabels: undefined,
        importNote,
      });
      store.announce(importNote);
    } catch (error) {
      store.patch("result", { importError: messageOf(error) });
    } finally {
      store.patch("result", { busy: false });
    }
  }
}

/** A name may hold commas where each has a line of its own. */
const namesIn = (typed: string): string[] =>
  typed
    .split(typed.trim().includes("\n") ? "\n" : ",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
