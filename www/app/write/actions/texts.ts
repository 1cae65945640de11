/**
 * Enters: files and pasted text. Leaves: the rows to learn from; a file that cannot be read changes nothing.
 */
import { type ParsedText, parseTextRows } from "webtune";
import { PASTED } from "../../desk/parts/rows-intake";
import { forget, recall, remember } from "../../desk/remembered-rows";
import { counted, messageOf } from "../../ui/format";
import type { LanguageStore, TextItem } from "../state";

const KEY = "texts";

export class TextActions {
  #nextId = 1;
  #reading = 0;

  constructor(private readonly store: LanguageStore) {}

  /** With `add`, the rows follow those already there. */
  async read(name: string, content: Blob | string, add: boolean): Promise<void> {
    const { store } = this;
    const turn = ++this.#reading;
    store.patch("texts", { reading: true, error: undefined, note: undefined });
    try {
      const bytes = new Uint8Array(await new Blob([content]).arrayBuffer());
      const rows = await parseTextRows({ name, bytes });
      // Only the latest request counts.
      if (turn !== this.#reading) return;
      const { items: old } = store.state.texts;
      const note = `Read ${counted(rows.length, "text")} from ${name}.`;
      const items = this.#items(rows);
      const undo = this.#undoOf(add ? "the list before the added texts" : "the texts before this");
      // What was pasted before is gone from the list, unless this was added to it.
      const typed = name === PASTED || (add && store.state.texts.typed);
      store.patch("texts", { note, typed, ...undo });
      this.#set(add ? [...old, ...items] : items);
      store.announce(note);
    } catch (error) {
      if (turn === this.#reading) store.patch("texts", { error: messageOf(error) });
    } finally {
      if (turn === this.#reading) store.patch("texts", { reading: false });
    }
  }

  remove(id: number): void {
    const { items } = this.store.state.texts;
    this.store.patch("texts", { ...this.#undoOf("the deleted text"), typed: true });
    this.#set(items.filter((item) => item.id !== id));
    this.store.announce("The text was deleted. Undo brings it back.");
  }

  clear(): void {
    const { items } = this.store.state.texts;
    this.store.patch("texts", {
      ...this.#undoOf(counted(items.length, "cleared text")),
      note: undefined,
      error: undefined,
      typed: false,
    });
    this.#set([]);
    this.store.announce("All texts were cleared. Undo brings them back.");
  }

  undo(): void {
    const { undo } = this.store.state.texts;
    if (!undo) return;
    this.store.patch("texts", { undo: undefined, note: undefined, typed: undo.typed });
    this.#set(undo.items);
    this.store.announce(`Brought back ${undo.what}.`);
  }

  /** Brings back what an earlier visit was asked to remember. */
  async recall(): Promise<void> {
    try {
      const rows = await recall<ParsedText[]>(KEY);
      if (!rows || this.store.state.texts.items.length > 0) return;
      const note = `${counted(rows.length, "text")} remembered on this device.`;
      this.store.patch("texts", { items: this.#items(rows), remember: true, typed: true, stored: true, note });
    } catch (error) {
      // Some browsers have no storage in private windows: nothing was remembered then, and nothing is lost.
      console.warn(`webtune: remembered texts could not be read: ${messageOf(error)}`);
    }
  }

  async setRemember(on: boolean): Promise<void> {
    this.store.patch("texts", { remember: on, stored: false });
    try {
      if (on) await this.#save();
      else await forget(KEY);
    } catch (error) {
      this.#failed(error);
    }
  }

  #items(rows: ParsedText[]): TextItem[] {
    return rows.map((row) => ({ id: this.#nextId++, row }));
  }

  #undoOf(what: string) {
    const { items, typed } = this.store.state.texts;
    return { undo: items.length > 0 ? { what, items, typed } : undefined };
  }

  /** The rows are in a file of the person's now. */
  saved(): void {
    this.store.patch("texts", { typed: false });
  }

  #set(items: TextItem[]): void {
    this.store.patch("texts", { items, stored: false });
    if (this.store.state.texts.remember) this.#save().catch((error: unknown) => this.#failed(error));
  }

  async #save(): Promise<void> {
    const { items } = this.store.state.texts;
    await remember(
      KEY,
      items.map(({ row }) => row),
    );
    if (this.store.state.texts.items === items) this.store.patch("texts", { stored: true });
  }

  #failed(error: unknown): void {
    this.store.patch("texts", { remember: false, error: `Remembering failed: ${messageOf(error)}` });
  }
}
