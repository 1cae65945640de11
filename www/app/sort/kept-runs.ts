/** Stores records of runs on this device, without the texts that they were measured on. */
import type { RunRecord } from "webtune";
import { inStore } from "../desk/database";

/** Oldest first. */
export async function readRuns(): Promise<RunRecord[]> {
  const records = (await inStore("runs", "readonly", (store) => store.getAll())) as RunRecord[];
  return records.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
}

/** Texts are remembered in one place only, and only if a person asked for it. */
export async function writeRun({ rows: _texts, ...record }: RunRecord): Promise<void> {
  await inStore("runs", "readwrite", (store) => store.put(record, record.id));
}

export async function deleteRun(id: string): Promise<void> {
  await inStore("runs", "readwrite", (store) => store.delete(id));
}
