/**
 * Enters: text, files and edits. Leaves: the rows of the table; a source that cannot be read changes nothing.
 */
import { type Example, type ParseOptions, parseExamples } from "webtune";
import { forget, recall, remember } from "../../desk/remembered-rows";
import { counted, listed, messageOf } from "../../ui/format";
import type { Row } from "../checks";
import type { Source, Store } from "../state";

/** Of the remembered rows. */
const KEY = "current";

export class ExampleActions {
  #nextId = 1;
  #reading = 0;
  #saving: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly store: Store) {}

  /** Reads a source; with `add`, its rows follow those already there. */
  async read(name: string, content: Blob | string, add: boolean): Promise<void> {
    const rows = this.store.state.examples.rows;
    await this.#parse({ name, content, before: add ? rows : [] }, {});
  }

  /** Reads the last source again, with the columns or the format that a person chose. */
  async readAgain(options: ParseOptions): Promise<void> {
    const { failed, source } = this.store.state.examples;
    const again = failed ?? source;
    if (again) await this.#parse(again, options);
  }

  async #parse(source: Source, options: ParseOptions): Promise<void> {
    const { store } = this;
    const turn = ++this.#reading;
    store.patch("examples", { reading: true, error: undefined, note: undefined });
    try {
      const table = await parseExamples(source.content, source.name, options);
      // Only the latest request counts.
      if (turn !== this.#reading) return;
      const { format, columns, textColumn, labelColumn, emptyRows } = table;
      const read = table.rows.map(({ text, label }) => ({ id: this.#nextId++, text, label }));
      const left = emptyRows.length > 0 ? ` Left out for want of a text or a label: ${rowsNamed(emptyRows)}.` : "";
      const note = `Read ${counted(read.length, "example")} from ${source.name}.${left}`;
      const old = store.state.examples.rows;
      store.patch("examples", {
        source,
        failed: undefined,
        table: { format, columns, textColumn, labelColumn },
        note,
        undo: old.length > 0 && source.before !== old ? this.#undoOf("the rows before this") : undefined,
        // What was typed before is gone from the table, unless the source was added to it.
        typed: store.state.examples.typed && source.before.length > 0,
      });
      this.#setRows([...source.before, ...read]);
      store.announce(note);
    } catch (error) {
      if (turn === this.#reading) store.patch("examples", { error: messageOf(error), failed: source });
    } finally {
      if (turn === this.#reading) store.patch("examples", { reading: false });
    }
  }

  edit(id: number, change: Partial<Pick<Row, "text" | "label">>): void {
    this.#typed(this.store.state.examples.rows.map((row) => (row.id === id ? { ...row, ...change } : row)));
  }

  add(): number {
    const id = this.#nextId++;
    this.#typed([...this.store.state.examples.rows, { id, text: "", label: "" }]);
    return id;
  }

  remove(ids: ReadonlySet<number>): void {
    const undo = this.#undoOf(ids.size === 1 ? "the deleted row" : counted(ids.size, "deleted row"));
    this.#typed(undo.rows.filter((row) => !ids.has(row.id)));
    this.store.patch("examples", { undo });
  }

  clear(): void {
    const { rows } = this.store.state.examples;
    this.store.patch("examples", {
      undo: this.#undoOf(counted(rows.length, "cleared row")),
      source: undefined,
      failed: undefined,
      table: undefined,
      note: undefined,
      error: undefined,
      typed: false,
    });
    this.#setRows([]);
    this.store.announce("All examples were cleared. Undo brings them back.");
  }

  undo(): void {
    const { undo } = this.store.state.examples;
    if (!undo) return;
    const { rows, typed } = undo;
    this.store.patch("examples", { undo: undefined, source: undefined, table: undefined, note: undefined, typed });
    this.#setRows(rows);
    this.store.announce(`Brought back ${undo.what}.`);
  }

  /** Brings back what an earlier visit was asked to remember. */
  async recall(): Promise<void> {
    try {
      const examples = await recall<Example[]>(KEY);
      if (!examples || this.store.state.examples.rows.length > 0) return;
      const rows = examples.map(({ text, label }) => ({ id: this.#nextId++, text, label }));
      this.store.patch("examples", {
        rows,
        remember: true,
        // Some may have been typed in that visit; this device has them all.
        typed: true,
        stored: true,
        note: `${counted(rows.length, "example")} remembered on this device.`,
      });
    } catch (error) {
      // Some browsers have no storage in private windows: nothing was remembered then, and nothing is lost.
      console.warn(`webtune: remembered examples could not be read: ${messageOf(error)}`);
    }
  }

  async setRemember(on: boolean): Promise<void> {
    this.store.patch("examples", { remember: on });
    try {
      if (on) await this.#save();
      else {
        await forget(KEY);
        this.store.patch("examples", { stored: false });
      }
    } catch (error) {
      this.store.patch("examples", { remember: false, error: `Remembering failed: ${messageOf(error)}` });
    }
  }

  /** The rows are in a file of the person's now. */
  saved(): void {
    this.store.patch("examples", { typed: false });
  }

  describe(label: string, description: string): void {
    const { descriptions } = this.store.state.examples;
    this.store.patch("examples", { descriptions: { ...descriptions, [label]: description } });
  }

  #undoOf(what: string): { what: string; rows: Row[]; typed: boolean } {
    const { rows, typed } = this.store.state.examples;
    return { what, rows, typed };
  }

  /** What a person typed exists nowhere else, and an older undo would take it away. */
  #typed(rows: Row[]): void {
    this.store.patch("examples", { undo: undefined, typed: true });
    this.#setRows(rows);
  }

  #setRows(rows: Row[]): void {
    this.store.patch("examples", { rows, stored: false });
    if (!this.store.state.examples.remember) return;
    clearTimeout(this.#saving);
    this.#saving = setTimeout(() => {
      this.#save().catch((error: unknown) =>
        this.store.patch("examples", { remember: false, error: `Remembering failed: ${messageOf(error)}` }),
      );
    }, 500);
  }

  async #save(): Promise<void> {
    if (!this.store.state.examples.remember) return;
    const { rows } = this.store.state.examples;
    await remember(
      KEY,
      rows.map(({ text, label }) => ({ text, label })),
    );
    const { rows: now, remember: still } = this.store.state.examples;
    if (now === rows && still) this.store.patch("examples", { stored: true });
  }
}

const rowsNamed = (rows: number[]): string => `${rows.length === 1 ? "row" : "rows"} ${listed(rows)}`;
