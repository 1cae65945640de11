/**
 * Enters: examples that a person asked to remember. Leaves: the same examples after a reload.
 */
import type { Example } from "webtune";
import { inStore } from "./database";

const KEY = "current";

/** Undefined where nothing was remembered. */
export async function recall(): Promise<Example[] | undefined> {
  return (await inStore("examples", "readonly", (store) => store.get(KEY))) as Example[] | undefined;
}

export async function remember(examples: Example[]): Promise<void> {
  await inStore("examples", "readwrite", (store) => store.put(examples, KEY));
}

export async function forget(): Promise<void> {
  await inStore("examples", "readwrite", (store) => store.delete(KEY));
}
