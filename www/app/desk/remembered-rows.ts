/**
 * Enters: rows that a person asked to remember. Leaves: the same rows after a reload.
 */
import { inStore } from "./database";

/** Which desk's rows: examples with labels, or texts for a language model. */
type Key = "current" | "texts";

/** Undefined where nothing was remembered. */
export async function recall<T>(key: Key): Promise<T | undefined> {
  return (await inStore("examples", "readonly", (store) => store.get(key))) as T | undefined;
}

export async function remember(key: Key, rows: unknown): Promise<void> {
  await inStore("examples", "readwrite", (store) => store.put(rows, key));
}

export async function forget(key: Key): Promise<void> {
  await inStore("examples", "readwrite", (store) => store.delete(key));
}
