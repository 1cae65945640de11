/** Examples with labels: read from tables, edited row by row. */
import { type Label, type ParseOptions, parseExamples } from "webtune";
import {
  type Content,
  checkRowsFile,
  type RemedyOption,
  RowsActions,
  readNote,
  rowsNamed,
} from "../../desk/actions/rows";
import { counted } from "../../ui/format";
import { arePairs, check, type Row } from "../checks";
import { namesOf } from "../labels";
import type { SortStore, SortTypes, Source } from "../state";

export class ExampleActions extends RowsActions<SortTypes> {
  constructor(private readonly sort: SortStore) {
    super(sort, { key: "current", noun: "example", file: "examples.jsonl" });
  }

  async read(name: string, content: Blob | string, add: boolean): Promise<void> {
    await this.#parse({ name, content, before: add ? this.sort.state.rows.items : [] }, {});
  }

  /** Reads the last source again, with the columns or the format that a person chose. */
  async readAgain(options: ParseOptions): Promise<void> {
    const { failed, source } = this.sort.state.table;
    const again = failed ?? source;
    if (again) await this.#parse(again, options);
  }

  edit(id: number, change: Partial<Pick<Row, "text" | "textPair" | "label">>): void {
    this.edited(this.sort.state.rows.items.map((row) => (row.id === id ? { ...row, ...change } : row)));
  }

  /** Gives the new row's number. */
  add(): number {
    const { items } = this.sort.state.rows;
    const second = arePairs(items) ? { textPair: "" } : {};
    const label: Label = items.some(({ label }) => typeof label !== "string") ? [] : "";
    const added = this.numbered([{ text: "", ...second, label }]);
    this.edited([...items, ...added]);
    return added[0]?.id ?? 0;
  }

  override clear(): void {
    super.clear();
    this.sort.patch("table", { source: undefined, failed: undefined, found: undefined });
  }

  override bringBack(rows: readonly Row[]): void {
    const before = this.sort.state.rows.items;
    super.bringBack(rows);
    if (this.sort.state.rows.items !== before) this.sort.patch("table", { source: undefined, found: undefined });
  }

  override undo(): void {
    super.undo();
    this.sort.patch("table", { source: undefined, found: undefined });
  }

  describe(label: string, description: string): void {
    const { descriptions } = this.sort.state.labels;
    this.sort.patch("labels", { descriptions: new Map([...descriptions, [label, description]]) });
  }

  protected override usable(rows: readonly Row[]): readonly Row[] {
    return check(rows).usable;
  }

  protected override isRow(stored: unknown): stored is Content<Row> {
    const { text, textPair, label } = (stored ?? {}) as Partial<Row>;
    const isSecond = textPair === undefined || typeof textPair === "string";
    const isLabel = Array.isArray(label) ? label.every((one) => typeof one === "string") : typeof label === "string";
    return typeof text === "string" && isSecond && isLabel;
  }

  /** As pandas and others write them, in snake case. */
  protected override line({ text, textPair, label }: Row): object | undefined {
    if ([text, textPair ?? "", ...namesOf(label)].every((one) => one.trim() === "")) return undefined;
    return textPair === undefined ? { text, label } : { text, text_pair: textPair, label };
  }

  async #parse(source: Source, options: ParseOptions): Promise<void> {
    const { sort } = this;
    let found = sort.state.table.found;
    const read = async () => {
      checkRowsFile(source.name, new Blob([source.content]));
      const { rows, emptyRows, skippedRows, warnings, ...how } = await parseExamples(
        source.content,
        source.name,
        options,
      );
      found = how;
      const left = emptyRows.length > 0 ? ` Left out, as a text or the label is missing: ${rowsNamed(emptyRows)}.` : "";
      return {
        rows: rows.map(({ row: _number, ...content }) => content),
        note: `${readNote(counted(rows.length, "example"), source.name, how.encoding, skippedRows)}${left}`,
        warnings,
      };
    };
    const again = (more: RemedyOption) => this.#parse(source, { ...options, ...more });
    const isRead = await this.take(source.name, source.before, read, again);
    if (isRead) sort.patch("table", { source, failed: undefined, found });
    else if (isRead === false) sort.patch("table", { failed: source });
  }
}
