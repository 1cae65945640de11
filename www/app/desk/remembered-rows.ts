/** Stores rows that a person asked to remember on this device, and gives them back after a reload. */
import { inStore } from "./database";

/** Which desk's rows: examples with labels, or texts for a language model. */
export type RowsKey = "current" | "texts";

/** Undefined if nothing was remembered. */
export async function recall<T>(key: RowsKey): Promise<T | undefined> {
  return (await inStore("examples", "readonly", (store) => store.get(key))) as T | undefined;
}

export async function remember(key: RowsKey, rows: unknown): Promise<void> {
  await inStore("examples", "readwrite", (store) => store.put(rows, key));
}

export async function forget(key: RowsKey): Promise<void> {
  await inStore("examples", "readwrite", (store) => store.delete(key));
}
