/** The further ways to export a tuned classifier: one ONNX graph, with the files that transformers.js needs next to it. */
import { ExportActions } from "../../desk/actions/export";
import type { SortTypes } from "../state";

export class SortExportActions extends ExportActions<SortTypes> {
  async onnx(format: "onnx" | "onnx-fp16"): Promise<void> {
    await this.exportWhole(format, format, "Writing the ONNX graph");
  }
}
