/** Texts for a language model, read from files and pasted text. */
import { parseTextRows } from "webtune";
import { type Content, checkRowsFile, RowsActions } from "../../desk/actions/rows";
import { counted } from "../../ui/format";
import { isText, jsonOf } from "../rows";
import type { TextItem, WriteStore, WriteTypes } from "../state";

export class TextActions extends RowsActions<WriteTypes> {
  constructor(store: WriteStore) {
    super(store, { key: "texts", noun: "text", file: "texts.jsonl" });
  }

  async read(name: string, content: Blob | string, add: boolean): Promise<void> {
    await this.take(name, add ? this.store.state.rows.items : [], async () => {
      const blob = new Blob([content]);
      checkRowsFile(name, blob);
      const rows = await parseTextRows({ name, bytes: new Uint8Array(await blob.arrayBuffer()) });
      return { rows, note: `Read ${counted(rows.length, "text")} from ${name}.` };
    });
  }

  protected override isRow(stored: unknown): stored is Content<TextItem> {
    const { row, content } = (stored ?? {}) as Partial<TextItem>;
    return Number.isSafeInteger(row) && isText(content);
  }

  protected override line({ content }: TextItem): object {
    return jsonOf(content);
  }
}
