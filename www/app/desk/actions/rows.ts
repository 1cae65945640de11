/** Reads rows from files and pasted text, and edits, undoes, saves and remembers them. Input that cannot be read changes nothing. */
import { type ParseOptions, type Remedy, type TextEncoding, type TextOptions, WebtuneError } from "webtune";
import { checkSize, download } from "../../ui/files";
import { counted, listed, messageOf } from "../../ui/format";
import { forget, type KeptRows, onOtherTab, type RowsKey, recall, remember } from "../remembered-rows";
import type { DeskState, RowsState } from "../state";
import type { Store } from "../store";
import type { TaskTypes } from "../task";

/** The name of what was pasted. */
export const PASTED = "pasted text";
/** A pause in typing before the rows are stored, in milliseconds. */
const PAUSE = 500;

/** A row as it is read and stored. */
export type Content<Row> = Omit<Row, "id">;

/** Bytes of a file of rows: a row is held several times over while it is read. */
const ROWS_FILE = { most: 200e6, what: "a file of rows" };

/** What was read, how, and which rows were left out. */
export function readNote(
  rows: string,
  name: string,
  encoding: TextEncoding,
  skipped: readonly { row: number }[],
): string {
  const how = encoding === "utf-8" ? "" : ` as ${encoding}`;
  const left =
    skipped.length > 0 ? ` Left out, as they cannot be used: ${rowsNamed(skipped.map(({ row }) => row))}.` : "";
  return `Read ${rows} from ${name}${how}.${left}`;
}

export const rowsNamed = (rows: number[]): string => `${rows.length === 1 ? "row" : "rows"} ${listed(rows)}`;

/** @throws Error */
export function checkRowsFile(name: string, { size }: Blob): void {
  try {
    checkSize(size, ROWS_FILE);
  } catch (error) {
    throw new Error(`${name}: ${messageOf(error)}; split it, or take a sample of it`);
  }
}

/** The options that get a person past an error. */
const REMEDY_OPTIONS = {
  readAsWindows1252: { encoding: "windows-1252" },
  skipBad: { skipBad: true },
} satisfies Record<Remedy, ParseOptions & TextOptions>;
export type RemedyOption = (typeof REMEDY_OPTIONS)[Remedy];

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
  #again: ((option: RemedyOption) => Promise<void>) | undefined;
  #saving: ReturnType<typeof setTimeout> | undefined;
  /** Storage is asked for one thing at a time, so that what was asked last holds. */
  #queue: Promise<void> = Promise.resolve();
  /** Which rows in storage this tab knows of. */
  #stamp: string | undefined;

  constructor(
    protected readonly store: Store<DeskState<T>>,
    private readonly words: Words,
  ) {
    onOtherTab(words.key, () => this.#inTurn(() => this.#look()));
  }

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
    this.#change([], {
      undo,
      unsaved: false,
      note: undefined,
      warnings: undefined,
      error: undefined,
      remedy: undefined,
    });
    this.store.announce(`All ${this.words.noun}s were cleared. Undo brings them back.`);
  }

  undo(): void {
    const { undo } = this.store.state.rows;
    if (!undo) return;
    this.#change(undo.items, { undo: undefined, unsaved: undo.unsaved, note: undefined, warnings: undefined });
    this.store.announce(`Brought back ${undo.what}.`);
  }

  /** Hands the rows to the browser's downloads as JSON lines. */
  save(): void {
    const { items } = this.store.state.rows;
    const lines = items.map((row) => this.line(row)).filter((line) => line !== undefined);
    download(this.words.file, `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`, "application/jsonl");
    this.store.patch("rows", { unsaved: false });
  }

  /** Whether it is a row of this desk: another version of the page may have stored what is none. */
  protected abstract isRow(stored: unknown): stored is Content<T["row"]>;

  /** Brings back what an earlier visit was asked to remember. */
  async recall(): Promise<void> {
    try {
      const kept = await recall(this.words.key);
      if (!kept || this.store.state.rows.items.length > 0) return;
      this.#take(kept);
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
    clearTimeout(this.#saving);
    this.store.patch("rows", { remember: on, stored: false, elsewhere: undefined });
    await this.#inTurn(on ? () => this.#store() : () => this.#forget());
  }

  /** After another tab has stored rows: these take the place of those. */
  async keepThese(): Promise<void> {
    await this.#inTurn(async () => {
      this.#stamp = (await recall(this.words.key))?.stamp;
      await this.#store();
    });
  }

  /** The other way round. Undo brings these back. */
  async takeThose(): Promise<void> {
    await this.#inTurn(async () => {
      const kept = await recall(this.words.key);
      if (!kept) return;
      const { items } = this.store.state.rows;
      const undo = items.length > 0 ? this.#undoOf(`the ${this.words.noun}s before this`) : undefined;
      this.#take(kept, undo);
    });
  }

  showError(error: string | undefined): void {
    this.store.patch("rows", { error, remedy: undefined });
  }

  /** Reads what could not be read once more, with the option that the error offers. */
  async takeRemedy(): Promise<void> {
    const { remedy } = this.store.state.rows;
    if (remedy) await this.#again?.(REMEDY_OPTIONS[remedy]);
  }

  /** Takes rows in place of those there, or after `before`. `again` reads with one more option. Gives false if they cannot be read, undefined if another request came meanwhile. */
  protected async take(
    name: string,
    before: readonly T["row"][],
    parse: () => Promise<{ rows: Content<T["row"]>[]; note: string; warnings: readonly string[] }>,
    again: (option: RemedyOption) => Promise<void>,
  ): Promise<boolean | undefined> {
    const { store } = this;
    this.#reading += 1;
    const turn = this.#reading;
    store.patch("rows", { reading: true, error: undefined, remedy: undefined, note: undefined });
    this.#again = again;
    try {
      const { rows, note, warnings } = await parse();
      if (turn !== this.#reading) return undefined;
      const { items, unsaved } = store.state.rows;
      const undo = items.length > 0 ? this.#undoOf(`the ${this.words.noun}s before this`) : undefined;
      // What was not saved before is gone from the list, unless this was added to it.
      const stillUnsaved = name === PASTED || (before.length > 0 && unsaved);
      this.#change([...before, ...this.numbered(rows)], { undo, unsaved: stillUnsaved, note, warnings });
      store.announce(note);
      return true;
    } catch (error) {
      if (turn !== this.#reading) return undefined;
      const remedy = error instanceof WebtuneError ? error.remedy : undefined;
      store.patch("rows", { error: messageOf(error), remedy });
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
    this.#saving = setTimeout(() => void this.#inTurn(() => this.#store()), pause);
  }

  #take({ stamp, rows }: KeptRows, undo?: RowsState<T>["undo"]): void {
    clearTimeout(this.#saving);
    const good = rows.filter((row) => this.isRow(row));
    const bad = rows.length - good.length;
    const { noun } = this.words;
    this.#stamp = stamp;
    const more = bad > 0 ? ` ${counted(bad, noun)} more cannot be read, and stay there until these are changed.` : "";
    this.store.patch("rows", {
      items: this.numbered(good),
      undo,
      note: `${counted(good.length, noun)} remembered on this device.${more}`,
      remember: true,
      // Some may be in no file, but this device has them all.
      unsaved: true,
      stored: true,
      elsewhere: undefined,
    });
  }

  async #store(): Promise<void> {
    const { items, remember: wanted } = this.store.state.rows;
    if (!wanted) return;
    const stamp = await remember(this.words.key, items.map(contentOf), this.#stamp);
    if (stamp === undefined) return this.#look();
    this.#stamp = stamp;
    const { items: now, remember: still } = this.store.state.rows;
    if (now === items && still) this.store.patch("rows", { stored: true, elsewhere: undefined });
  }

  async #forget(): Promise<void> {
    if (await forget(this.words.key, this.#stamp)) {
      this.#stamp = undefined;
      return;
    }
    const note = `Another tab remembers other ${this.words.noun}s on this device; those stay.`;
    if (await recall(this.words.key)) this.store.patch("rows", { note });
  }

  /** Another tab has changed what is stored. */
  async #look(): Promise<void> {
    const kept = await recall(this.words.key);
    const { remember: wanted } = this.store.state.rows;
    if (!wanted || kept?.stamp === this.#stamp) return;
    this.store.patch("rows", { stored: false, elsewhere: kept?.rows.length ?? 0 });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#queue = this.#queue.then(work).catch((error: unknown) => this.#failed(error));
    return this.#queue;
  }

  #failed(error: unknown): void {
    this.store.patch("rows", { remember: false, stored: false, error: `Remembering failed: ${messageOf(error)}` });
  }
}

function contentOf<Row extends { id: number }>({ id: _own, ...content }: Row): Content<Row> {
  return content;
}

const isSame = (some: readonly { id: number }[], others: readonly { id: number }[]): boolean =>
  JSON.stringify(some.map(contentOf)) === JSON.stringify(others.map(contentOf));
