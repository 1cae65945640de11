/**
 * Stores rows that a person asked to remember on this device, and gives them back after a reload. Several tabs may do so: each names the
 * rows that it knows of, and replaces no others.
 */
import { inStore, replaceIn } from "./database";
import { newRunId } from "./unfinished-runs";

const STORE = "examples";

/** Which desk's rows: examples with labels, or texts for a language model. */
export type RowsKey = "current" | "texts";

/** Rows in storage. */
export interface KeptRows {
  /** No two stored lists have the same one. */
  stamp: string;
  rows: unknown[];
}

/** Versions of this page before 0.2.0 stored the list alone. */
function keptRows(found: unknown): KeptRows | undefined {
  if (Array.isArray(found)) return { stamp: "", rows: found };
  const { stamp, rows } = (found ?? {}) as Partial<KeptRows>;
  return typeof stamp === "string" && Array.isArray(rows) ? { stamp, rows } : undefined;
}

/** Undefined if nothing was remembered. */
export async function recall(key: RowsKey): Promise<KeptRows | undefined> {
  return keptRows(await inStore<unknown>(STORE, "readonly", (store) => store.get(key)));
}

/** Gives the stamp of what is stored now; undefined, and nothing is stored, if it was not `known` that is replaced. */
export async function remember(key: RowsKey, rows: unknown[], known: string | undefined): Promise<string | undefined> {
  const kept: KeptRows = { stamp: newRunId(), rows };
  const isStored = await replaceIn(STORE, key, (found) =>
    keptRows(found)?.stamp === known ? { put: kept } : undefined,
  );
  if (isStored) tell(key);
  return isStored ? kept.stamp : undefined;
}

/** Gives false, and leaves it, if there is what another tab has stored since. */
export async function forget(key: RowsKey, known: string | undefined): Promise<boolean> {
  const isGone = await replaceIn(STORE, key, (found) => (keptRows(found)?.stamp === known ? "delete" : undefined));
  if (isGone) tell(key);
  return isGone;
}

/** Absent where a browser isolates the page from itself. */
const tabs = "BroadcastChannel" in window ? new BroadcastChannel("webtune-rows") : undefined;

function tell(key: RowsKey): void {
  tabs?.postMessage(key);
}

/** Calls back when another tab has stored rows or removed them. */
export function onOtherTab(key: RowsKey, changed: () => void): void {
  tabs?.addEventListener("message", ({ data }) => {
    if (data === key) changed();
  });
}
