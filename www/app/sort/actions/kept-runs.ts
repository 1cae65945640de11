/**
 * Enters: records of runs, and what a person does with them. Leaves: runs that are kept, compared, renamed, handed out as files.
 */
import { type Comparison, compareRuns, type RunRecord, recordFromJson, recordToJson } from "webtune";
import { fileName } from "../../desk/file-names";
import { fieldsOf } from "../../desk/read-options";
import { download, type Folder } from "../../ui/files";
import { counted, messageOf } from "../../ui/format";
import { deleteRun, readRuns, writeRun } from "../kept-runs";
import { optionFields } from "../options";
import type { Store } from "../state";

export class RunsActions {
  #comparing = 0;

  constructor(private readonly store: Store) {}

  async recall(): Promise<void> {
    try {
      const kept = await readRuns();
      // A run may have ended or come in meanwhile.
      const here = this.store.state.runs.records;
      const known = new Set(here.map(({ id }) => id));
      this.#set([...kept.filter(({ id }) => !known.has(id)), ...here]);
    } catch (error) {
      this.store.patch("runs", {
        error: `Earlier runs cannot be read: ${messageOf(error)}. New ones stay until this page is closed; export those that matter.`,
      });
    }
  }

  async add(run: RunRecord): Promise<void> {
    const record = { ...run, name: this.#freeName(run.name) };
    this.store.patch("runs", { note: undefined, error: undefined });
    this.#set([...this.#records, record]);
    await this.#keep(record);
  }

  async rename(id: string, name: string): Promise<void> {
    const record = this.#find(id);
    if (!record || name.trim() === "") return;
    const renamed = { ...record, name: name.trim() };
    this.store.patch("runs", { records: this.#records.map((one) => (one.id === id ? renamed : one)) });
    this.store.announce(`The run is called ${renamed.name} now.`);
    await this.#keep(renamed);
  }

  async remove(id: string): Promise<void> {
    const record = this.#find(id);
    if (!record) return;
    const { unkept, hidden } = this.store.state.runs;
    this.store.patch("runs", { unkept: without(unkept, id), hidden: without(hidden, id), error: undefined });
    this.#set(this.#records.filter((one) => one.id !== id));
    this.store.announce(`${record.name} was deleted.`);
    try {
      await deleteRun(id);
    } catch (error) {
      this.store.patch("runs", {
        error: `${record.name} is gone from the page, but this browser failed to delete it: ${messageOf(error)}`,
      });
    }
  }

  export(id: string, withTexts: boolean): void {
    const record = this.#find(id);
    if (!record) return;
    const name = `${fileName(record.name) || "run"}.run.json`;
    download(name, recordToJson(record, { rows: withTexts }), "application/json");
    this.store.patch("runs", { unkept: without(this.store.state.runs.unkept, id) });
    this.store.announce(`${name} was handed to the browser's downloads.`);
  }

  async import({ files }: Folder): Promise<void> {
    this.store.patch("runs", { note: undefined, error: undefined });
    let read = 0;
    for (const { path, blob } of files) {
      try {
        const record = recordFromJson(await blob.text());
        this.#set([...this.#records.filter(({ id }) => id !== record.id), record]);
        read += 1;
        await this.#keep(record);
      } catch (error) {
        this.store.patch("runs", { error: `${path}: ${messageOf(error)}` });
      }
    }
    if (read > 0) this.store.patch("runs", { note: `${counted(read, "run")} brought in.` });
  }

  /** Fills the drawer and the label descriptions with what that run used. */
  useSettings(id: string): void {
    const record = this.#find(id);
    if (!record) return;
    this.store.patch("run", { options: fieldsOf(optionFields, record.options), fieldErrors: {}, error: undefined });
    const descriptions = (record.options.labelDescriptions ?? {}) as Record<string, string>;
    // A run without any takes away nothing that was written since.
    if (Object.keys(descriptions).length > 0) this.store.patch("examples", { descriptions });
    this.store.announce(`The options are those of ${record.name} now.`);
  }

  show(id: string, on: boolean): void {
    const { hidden } = this.store.state.runs;
    this.store.patch("runs", { hidden: on ? without(hidden, id) : new Set([...hidden, id]) });
  }

  async setReference(id: string): Promise<void> {
    this.store.patch("runs", { reference: id });
    await this.#compare();
  }

  get #records(): RunRecord[] {
    return this.store.state.runs.records;
  }

  /** Runs of one method on the same file would all be called the same. */
  #freeName(name: string): string {
    const taken = new Set(this.#records.map((one) => one.name));
    let free = name;
    for (let count = 2; taken.has(free); count += 1) free = `${name} ${count}`;
    return free;
  }

  #find(id: string): RunRecord | undefined {
    return this.#records.find((one) => one.id === id);
  }

  #set(records: RunRecord[]): void {
    const { reference } = this.store.state.runs;
    const stays = records.some(({ id }) => id === reference);
    // Of what can be compared with the newest, the oldest came first.
    const newest = records.at(-1);
    const first = records.find(({ itemsKey }) => itemsKey === newest?.itemsKey);
    this.store.patch("runs", { records, reference: stays ? reference : first?.id });
    void this.#compare();
  }

  async #compare(): Promise<void> {
    const turn = ++this.#comparing;
    const { records, reference: id } = this.store.state.runs;
    const reference = records.find((one) => one.id === id);
    const others = records.filter((one) => one !== reference && one.itemsKey === reference?.itemsKey);
    const against = new Map<string, Comparison | string>();
    for (const { id, correct } of others) {
      try {
        against.set(id, await compareRuns(reference?.correct ?? [], correct));
      } catch (error) {
        against.set(id, messageOf(error));
      }
    }
    // Only the latest choice counts.
    if (turn === this.#comparing) this.store.patch("runs", { against });
  }

  async #keep(record: RunRecord): Promise<void> {
    const { unkept } = this.store.state.runs;
    try {
      await writeRun(record);
      this.store.patch("runs", { unkept: without(unkept, record.id) });
    } catch (error) {
      this.store.patch("runs", {
        unkept: new Set([...unkept, record.id]),
        error: `This browser did not keep ${record.name}: ${messageOf(error)}. It stays until this page is closed; export it to have it later.`,
      });
    }
  }
}

function without(ids: ReadonlySet<string>, id: string): ReadonlySet<string> {
  return new Set([...ids].filter((one) => one !== id));
}
