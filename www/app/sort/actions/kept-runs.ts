/** Records of finished runs: stored, compared, renamed, exported, imported and deleted. */
import { type Comparison, compareRuns, type RunRecord, type RunRecorder, recordFromJson, recordToJson } from "webtune";
import { fileName } from "../../desk/file-names";
import { typedOptions } from "../../desk/read-options";
import { checkSize, download, type Folder } from "../../ui/files";
import { counted, messageOf } from "../../ui/format";
import { deleteRun, readRuns, type UnreadableRun, writeRun } from "../kept-runs";
import { sortFields } from "../options";
import { tryToShow } from "../run-trial";
import type { SortStore } from "../state";

/** Bytes of a run's file: 1,000 labels make 50 MB of it. */
const RUN_FILE = { most: 200e6, what: "a run's file" };

export class KeptRunsActions {
  #comparing = 0;

  constructor(private readonly store: SortStore) {}

  async recall(): Promise<void> {
    try {
      const { records: kept, unreadable } = await readRuns();
      this.store.patch("runs", { unreadable });
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

  /** Adds a finished run. A record that cannot be made costs no more than itself. */
  async add(recorder: RunRecorder): Promise<void> {
    this.store.patch("runs", { note: undefined, error: undefined });
    try {
      const run = recorder.finish();
      const record = { ...run, name: this.#freeName(run.name) };
      this.#set([...this.#records, record]);
      await this.#keep(record);
    } catch (error) {
      this.store.patch("runs", { error: `This run cannot be listed: ${messageOf(error)}` });
    }
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
    const { unstored, hidden } = this.store.state.runs;
    this.store.patch("runs", { unstored: without(unstored, id), hidden: without(hidden, id), error: undefined });
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

  async removeUnreadable({ key }: UnreadableRun): Promise<void> {
    try {
      await deleteRun(key);
      const { unreadable } = this.store.state.runs;
      this.store.patch("runs", { unreadable: unreadable.filter((one) => one.key !== key), error: undefined });
      this.store.announce("The run was deleted.");
    } catch (error) {
      this.store.patch("runs", { error: `This browser failed to delete it: ${messageOf(error)}` });
    }
  }

  export(id: string, withTexts: boolean): void {
    const record = this.#find(id);
    if (!record) return;
    const name = `${fileName(record.name) || "run"}.run.json`;
    download(name, recordToJson(record, { rows: withTexts }), "application/json");
    this.store.patch("runs", { unstored: without(this.store.state.runs.unstored, id) });
    this.store.announce(`${name} was handed to the browser's downloads.`);
  }

  async import({ files }: Folder): Promise<void> {
    this.store.patch("runs", { note: undefined, error: undefined });
    let read = 0;
    for (const { path, blob } of files) {
      try {
        checkSize(blob.size, RUN_FILE);
        const record = recordFromJson(await blob.text());
        // What fails here would fail at every later visit.
        tryToShow(record);
        this.#set([...this.#records.filter(({ id }) => id !== record.id), record]);
        read += 1;
        await this.#keep(record);
      } catch (error) {
        this.store.patch("runs", { error: `${path}: ${messageOf(error)}` });
      }
    }
    if (read > 0) this.store.patch("runs", { note: `${counted(read, "run")} imported.` });
  }

  /** Fills the drawer and the label descriptions with what that run used. */
  useSettings(id: string): void {
    const record = this.#find(id);
    if (!record) return;
    this.store.patch("run", { options: typedOptions(sortFields, record.options), fieldErrors: {}, error: undefined });
    const written = Object.entries(record.options.labelDescriptions ?? {});
    const descriptions = new Map(written.filter(([, words]) => typeof words === "string"));
    // A run without descriptions deletes nothing that was written since.
    if (descriptions.size > 0) this.store.patch("labels", { descriptions });
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
    const { unstored } = this.store.state.runs;
    try {
      await writeRun(record);
      this.store.patch("runs", { unstored: without(unstored, record.id) });
    } catch (error) {
      this.store.patch("runs", {
        unstored: new Set([...unstored, record.id]),
        error: `This browser did not store ${record.name}: ${messageOf(error)}. It stays until this page is closed; export it to have it later.`,
      });
    }
  }
}

function without(ids: ReadonlySet<string>, id: string): ReadonlySet<string> {
  return new Set([...ids].filter((one) => one !== id));
}
