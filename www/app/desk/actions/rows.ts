/** Reads rows from files and pasted text, and edits, undoes, saves and remembers them. Input that cannot be read changes nothing. */
import { download } from "../../ui/files";
import { counted, messageOf } from "../../ui/format";
import { forget, type RowsKey, recall, remember } from "../remembered-rows";
import type { DeskState, RowsState } from "../state";
import type { Store } from "../store";
import type { TaskTypes } from "../task";

/** The name of what was pasted. */
export const PASTED = "pasted text";
/** A pause in typing before the rows are stored, in milliseconds. */
const PAUSE = 500;

/** A row as it is read and stored. */
export type Content<Row> = Omit<Row, "id">;

interface Words {
  /** Where the rows are remembered. */
  key: RowsKey;
  /** What a row is called. */
  noun: string;
  /** Name of the file that they are saved as. */
  file: string;
}

export abstract class RowsActions<T extends TaskTypes> {
  #nextId = 1;
  #reading = 0;
  #saving: ReturnType<typeof setTimeout> | undefined;

  constructor(
    protected readonly store: Store<DeskState<T>>,
    private readonly words: Words,
  ) {}

  /** With `add`, the rows follow those already there. */
  abstract read(name: string, content: Blob | string, add: boolean): Promise<void>;

  /** Those that a run would take. */
  protected usable(rows: readonly T["row"][]): readonly T["row"][] {
    return rows;
  }

  /** The line of a JSON lines file, or undefined for a row that no file can hold. */
  protected abstract line(row: T["row"]): object | undefined;

  remove(id: number): void {
    const { items } = this.store.state.rows;
    const undo = this.#undoOf(`the deleted ${this.words.noun}`);
    this.#change(
      items.filter((row) => row.id !== id),
      { undo, unsaved: true },
    );
    this.store.announce(`The ${this.words.noun} was deleted. Undo brings it back.`);
  }

  clear(): void {
    const { items } = this.store.state.rows;
    const undo = this.#undoOf(counted(items.length, `cleared ${this.words.noun}`));
    this.#change([], { undo, unsaved: false, note: undefined, error: undefined });
    this.store.announce(`All ${this.words.noun}s were cleared. Undo brings them back.`);
  }

  undo(): void {
    const { undo } = this.store.state.rows;
    if (!undo) return;
    this.#change(undo.items, { undo: undefined, unsaved: undo.unsaved, note: undefined });
    this.store.announce(`Brought back ${undo.what}.`);
  }

  /** Hands the rows to the browser's downloads as JSON lines. */
  save(): void {
    const { items } = this.store.state.rows;
    const lines = items.map((row) => this.line(row)).filter((line) => line !== undefined);
    download(this.words.file, `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`, "application/jsonl");
    this.store.patch("rows", { unsaved: false });
  }

  /** Brings back what an earlier visit was asked to remember. */
  async recall(): Promise<void> {
    try {
      const rows = await recall<Content<T["row"]>[]>(this.words.key);
      if (!rows || this.store.state.rows.items.length > 0) return;
      const note = `${counted(rows.length, this.words.noun)} remembered on this device.`;
      // Some may be in no file, but this device has them all.
      this.store.patch("rows", { items: this.numbered(rows), remember: true, unsaved: true, stored: true, note });
    } catch (error) {
      // Some browsers have no storage in private windows: nothing was remembered then, and nothing is lost.
      console.warn(`webtune: remembered rows could not be read: ${messageOf(error)}`);
    }
  }

  /** The rows of a run that goes on. What the device remembers of others stays until something is edited. */
  bringBack(rows: readonly T["row"][]): void {
    const { items } = this.store.state.rows;
    if (isSame(this.usable(items), rows)) return;
    const undo = items.length > 0 ? this.#undoOf(`the ${this.words.noun}s before this`) : undefined;
    const note = `${counted(rows.length, this.words.noun)} of the run that was cut off.`;
    this.store.patch("rows", { items: this.numbered(rows.map(contentOf)), undo, note, unsaved: true, stored: false });
  }

  async setRemember(on: boolean): Promise<void> {
    this.store.patch("rows", { remember: on, stored: false });
    try {
      if (on) await this.#store();
      else await forget(this.words.key);
    } catch (error) {
      this.#failed(error);
    }
  }

  showError(error: string | undefined): void {
    this.store.patch("rows", { error });
  }

  /** Takes rows in place of those there, or after `before`. Gives false if they cannot be read, undefined if another request came meanwhile. */
  protected async take(
    name: string,
    before: readonly T["row"][],
    parse: () => Promise<{ rows: Content<T["row"]>[]; note: string }>,
  ): Promise<boolean | undefined> {
    const { store } = this;
    this.#reading += 1;
    const turn = this.#reading;
    store.patch("rows", { reading: true, error: undefined, note: undefined });
    try {
      const { rows, note } = await parse();
      if (turn !== this.#reading) return undefined;
      const { items, unsaved } = store.state.rows;
      const undo = items.length > 0 ? this.#undoOf(`the ${this.words.noun}s before this`) : undefined;
      // What was not saved before is gone from the list, unless this was added to it.
      const stillUnsaved = name === PASTED || (before.length > 0 && unsaved);
      this.#change([...before, ...this.numbered(rows)], { undo, unsaved: stillUnsaved, note });
      store.announce(note);
      return true;
    } catch (error) {
      if (turn !== this.#reading) return undefined;
      store.patch("rows", { error: messageOf(error) });
      return false;
    } finally {
      if (turn === this.#reading) store.patch("rows", { reading: false });
    }
  }

  /** What a person typed is in no file, and an older undo would take it away. */
  protected edited(items: T["row"][]): void {
    this.#change(items, { undo: undefined, unsaved: true }, PAUSE);
  }

  protected numbered(rows: readonly Content<T["row"]>[]): T["row"][] {
    return rows.map((row) => {
      this.#nextId += 1;
      return { ...row, id: this.#nextId };
    });
  }

  #undoOf(what: string) {
    const { items, unsaved } = this.store.state.rows;
    return { what, items, unsaved };
  }

  #change(items: T["row"][], change: Partial<RowsState<T>>, pause = 0): void {
    this.store.patch("rows", { ...change, items, stored: false });
    clearTimeout(this.#saving);
    if (!this.store.state.rows.remember) return;
    this.#saving = setTimeout(() => this.#store().catch((error: unknown) => this.#failed(error)), pause);
  }

  async #store(): Promise<void> {
    const { items, remember: wanted } = this.store.state.rows;
    if (!wanted) return;
    await remember(this.words.key, items.map(contentOf));
    const { items: now, remember: still } = this.store.state.rows;
    if (now === items && still) this.store.patch("rows", { stored: true });
  }

  #failed(error: unknown): void {
    this.store.patch("rows", { remember: false, error: `Remembering failed: ${messageOf(error)}` });
  }
}

function contentOf<Row extends { id: number }>({ id: _own, ...content }: Row): Content<Row> {
  return content;
}

const isSame = (some: readonly { id: number }[], others: readonly { id: number }[]): boolean =>
  JSON.stringify(some.map(contentOf)) === JSON.stringify(others.map(contentOf));
