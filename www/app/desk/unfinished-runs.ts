/** Stores what a run needs to go on after its tab was closed or has crashed: settings, rows and its last two states. */
import type { DeviceChoice, WeightStorage } from "webtune";
import { inStore } from "./database";
import type { FieldValues } from "./read-options";
import type { KeptForm } from "./source-form";
import type { TaskName } from "./task";

/** How far a run was. */
export interface Place {
  step: number;
  totalSteps: number;
  /** Milliseconds since 1970. */
  at: number;
}

/** A state in storage: where it is, and how far the run was. */
export interface KeptState extends Place {
  slot: number;
}

/** All of a run but its rows and states, which are large. */
export interface UnfinishedRun {
  id: string;
  task: TaskName;
  startedAt: number;
  model: { name: string; form: KeptForm; device: DeviceChoice; storage: WeightStorage };
  /** As the engine was given them. */
  options: object;
  /** As they were typed. */
  fields: FieldValues;
  /** What the rows were read from. */
  data: string;
  rowCount: number;
  /** The newest first, two at most. */
  states: KeptState[];
}

type Part = "about" | "rows" | `state ${number}`;

const STORE = "unfinished";
const keyOf = (id: string, part: Part): IDBValidKey => [id, part];
const stateIn = (slot: number): Part => `state ${slot}`;

/** A number that no other run has; `randomUUID` is there on https only. */
export const newRunId = (): string => [...crypto.getRandomValues(new Uint32Array(4))].join("-");

/** The newest first. */
export async function unfinishedRuns(task: TaskName): Promise<UnfinishedRun[]> {
  const keys = await inStore(STORE, "readonly", (store) => store.getAllKeys());
  const abouts = keys.filter((key) => Array.isArray(key) && key[1] === ("about" satisfies Part));
  const runs = await Promise.all(
    abouts.map((key) => inStore<UnfinishedRun | undefined>(STORE, "readonly", (store) => store.get(key))),
  );
  return runs
    .filter((run) => run !== undefined)
    .filter((run) => run.task === task)
    .sort((a, b) => b.startedAt - a.startedAt);
}

export async function keepRun(run: UnfinishedRun, rows: readonly unknown[]): Promise<void> {
  await inStore(STORE, "readwrite", (store) => {
    store.put(rows, keyOf(run.id, "rows"));
    return store.put(run, keyOf(run.id, "about"));
  });
}

/**
 * Takes the older state's place; if that fails, both are as they were. Gives the run as it is stored then; undefined, and nothing is
 * stored, if the run is not there any more: a person may remove what a page has stored at any time.
 */
export async function keepState(
  run: UnfinishedRun,
  bytes: Uint8Array,
  place: Place,
): Promise<UnfinishedRun | undefined> {
  const [newest] = run.states;
  const slot = newest?.slot === 0 ? 1 : 0;
  const now = { ...run, states: [{ ...place, slot }, ...(newest ? [newest] : [])] };
  const key = await inStore(STORE, "readwrite", (store, after) => {
    const looking = store.getKey(keyOf(run.id, "about"));
    after(looking, (found) => {
      if (found === undefined) return;
      store.put(bytes, keyOf(run.id, stateIn(slot)));
      store.put(now, keyOf(run.id, "about"));
    });
    return looking;
  });
  return key === undefined ? undefined : now;
}

export async function rowsOf<Row>(id: string): Promise<Row[]> {
  const rows = await inStore(STORE, "readonly", (store) => store.get(keyOf(id, "rows")));
  if (!Array.isArray(rows)) throw new Error("the run's rows are not in this browser's storage any more");
  return rows as Row[];
}

export async function stateOf(id: string, { slot }: KeptState): Promise<Uint8Array | undefined> {
  const bytes: unknown = await inStore(STORE, "readonly", (store) => store.get(keyOf(id, stateIn(slot))));
  return bytes instanceof Uint8Array ? bytes : undefined;
}

export async function forgetRun(id: string): Promise<void> {
  // In the order of keys a list is behind every text.
  await inStore(STORE, "readwrite", (store) => store.delete(IDBKeyRange.bound([id], [id, []])));
}
