/** Finds runs that were cut off, lets them go on from their last state, and forgets them. */
import { messageOf } from "../../ui/format";
import { holdRun, isFree, onMoved, wasHere, whenFree } from "../run-lock";
import { formOf, type Missing, sourceOf } from "../source-form";
import type { DeskState } from "../state";
import type { Store } from "../store";
import type { Task, TaskTypes } from "../task";
import { forgetRun, rowsOf, type UnfinishedRun, unfinishedRuns } from "../unfinished-runs";
import type { ModelActions } from "./model";
import type { RowsActions } from "./rows";
import type { RunActions } from "./run";

interface Parts<T extends TaskTypes> {
  model: ModelActions<T>;
  rows: RowsActions<T>;
  run: RunActions<T>;
}

export class UnfinishedActions<T extends TaskTypes> {
  readonly #watched = new Set<string>();
  #finding = 0;

  constructor(
    private readonly store: Store<DeskState<T>>,
    private readonly task: Task<T>,
    private readonly desk: Parts<T>,
  ) {
    desk.run.onCutOff = () => void this.find();
    onMoved(() => void this.find());
  }

  /** Offers one that goes on in no tab: this tab's own if there is one, or the newest. */
  async find(): Promise<void> {
    const turn = ++this.#finding;
    try {
      const free: UnfinishedRun[] = [];
      for (const run of await unfinishedRuns(this.task.name)) {
        if (await isFree(run.id)) free.push(run);
        else this.#watch(run.id);
      }
      if (turn !== this.#finding || this.store.state.unfinished.continuing) return;
      this.#patch({ offered: free.find(({ id }) => wasHere(id)) ?? free[0] });
    } catch (error) {
      // Some browsers have no storage in private windows: then there is nothing to offer.
      console.warn(`webtune: runs that were cut off could not be read: ${messageOf(error)}`);
    }
  }

  /** Loads the model again and goes on. `missing` is what cannot be stored. */
  async continue(missing: Missing): Promise<void> {
    const { offered, continuing } = this.store.state.unfinished;
    if (!offered || continuing) return;
    this.#patch({ continuing: true, error: undefined });
    const free = await this.#hold(offered.id);
    if (!free) return;
    try {
      await this.#load(offered, missing);
      const rows = await rowsOf<T["row"]>(offered.id);
      this.#fill(offered, rows);
      this.#patch({ offered: undefined, continuing: false });
      const error = await this.desk.run.continue(offered, rows, free);
      await this.find();
      if (error) this.#patch({ error });
    } catch (error) {
      free();
      this.#patch({ continuing: false, error: messageOf(error) });
    }
  }

  async discard(): Promise<void> {
    const { offered } = this.store.state.unfinished;
    const free = offered && (await this.#hold(offered.id));
    if (!free) return;
    try {
      await forgetRun(offered.id);
      this.#patch({ offered: undefined, error: undefined });
      this.store.announce("The run was discarded.");
    } catch (error) {
      this.#patch({ error: `This browser failed to remove it: ${messageOf(error)}` });
    } finally {
      free();
    }
    await this.find();
  }

  /** Another tab may have been offered the same run, and be first. */
  async #hold(id: string): Promise<(() => void) | undefined> {
    const free = await holdRun(id);
    if (free) return free;
    this.#patch({ continuing: false });
    this.store.announce("That run goes on in another tab.");
    await this.find();
    return undefined;
  }

  async #load({ model }: UnfinishedRun, missing: Missing): Promise<void> {
    const { store, task } = this;
    const form = formOf(model.form, missing);
    const source = sourceOf(form, await task.preset());
    if (typeof source === "string") throw new Error(source);
    const { device, storage, formVersion } = store.state.model;
    store.drafts.set("form", form);
    store.patch("model", { device: model.device, storage: model.storage, formVersion: formVersion + 1 });
    if (await this.desk.model.load(source, form)) return;
    store.patch("model", { device, storage });
    const reason = store.state.model.error;
    throw new Error(reason ? `Its model could not be loaded: ${reason}` : "Loading its model was cancelled.");
  }

  /** The desk as it was when the run started. */
  #fill({ fields, options }: UnfinishedRun, rows: T["row"][]): void {
    this.desk.rows.bringBack(rows);
    this.store.patch("run", { options: fields, fieldErrors: {}, error: undefined });
    this.desk.run.bringBack(options);
  }

  /** Another tab may be closed, or crash, before its run has ended. */
  #watch(id: string): void {
    if (this.#watched.has(id)) return;
    this.#watched.add(id);
    void whenFree(id).then(() => {
      this.#watched.delete(id);
      return this.find();
    });
  }

  #patch(change: Partial<DeskState["unfinished"]>): void {
    this.store.patch("unfinished", change as Partial<DeskState<T>["unfinished"]>);
  }
}
