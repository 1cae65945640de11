/** Texts for a language model, read from files and pasted text. */
import { parseTextRows } from "webtune";
import { RowsActions } from "../../desk/actions/rows";
import { counted } from "../../ui/format";
import { jsonOf } from "../rows";
import type { TextItem, WriteStore, WriteTypes } from "../state";

export class TextActions extends RowsActions<WriteTypes> {
  constructor(store: WriteStore) {
    super(store, { key: "texts", noun: "text", file: "texts.jsonl" });
  }

  async read(name: string, content: Blob | string, add: boolean): Promise<void> {
    await this.take(name, add ? this.store.state.rows.items : [], async () => {
      const rows = await parseTextRows({ name, bytes: new Uint8Array(await new Blob([content]).arrayBuffer()) });
      return { rows, note: `Read ${counted(rows.length, "text")} from ${name}.` };
    });
  }

  protected override line({ content }: TextItem): object {
    return jsonOf(content);
  }
}
