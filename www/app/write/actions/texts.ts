/** Texts for a language model, read from files and pasted text. */
import { parseTextRows, type TextOptions } from "webtune";
import { type Content, checkRowsFile, RowsActions, readNote } from "../../desk/actions/rows";
import { counted } from "../../ui/format";
import { isText, jsonOf } from "../rows";
import type { TextItem, WriteStore, WriteTypes } from "../state";

export class TextActions extends RowsActions<WriteTypes> {
  constructor(store: WriteStore) {
    super(store, { key: "texts", noun: "text", file: "texts.jsonl" });
  }

  async read(name: string, content: Blob | string, add: boolean): Promise<void> {
    await this.#read(name, content, add ? this.store.state.rows.items : [], {});
  }

  async #read(name: string, content: Blob | string, before: readonly TextItem[], options: TextOptions): Promise<void> {
    const parse = async () => {
      const blob = new Blob([content]);
      checkRowsFile(name, blob);
      const file = { name, bytes: new Uint8Array(await blob.arrayBuffer()) };
      const { rows, warnings, skippedRows, encoding } = await parseTextRows(file, options);
      return { rows, warnings, note: readNote(counted(rows.length, "text"), name, encoding, skippedRows) };
    };
    await this.take(name, before, parse, (more) => this.#read(name, content, before, { ...options, ...more }));
  }

  protected override isRow(stored: unknown): stored is Content<TextItem> {
    const { row, content } = (stored ?? {}) as Partial<TextItem>;
    return Number.isSafeInteger(row) && isText(content);
  }

  protected override line({ content, tools }: TextItem): object {
    return { ...jsonOf(content), ...(tools?.length ? { tools } : {}) };
  }
}
