/** Stores records of runs on this device, without the texts that they were measured on. */
import { type RunRecord, recordFromObject } from "webtune";
import { inStore } from "../desk/database";
import { messageOf } from "../ui/format";

/** What is stored as a run and cannot be shown as one. */
export interface UnreadableRun {
  key: IDBValidKey;
  reason: string;
}

/** Oldest first. One that cannot be read hides none of the others. */
export async function readRuns(): Promise<{ records: RunRecord[]; unreadable: UnreadableRun[] }> {
  const records: RunRecord[] = [];
  const unreadable: UnreadableRun[] = [];
  for (const key of await inStore("runs", "readonly", (store) => store.getAllKeys())) {
    try {
      records.push(recordFromObject(await inStore<unknown>("runs", "readonly", (store) => store.get(key))));
    } catch (error) {
      unreadable.push({ key, reason: messageOf(error) });
    }
  }
  return { records: records.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1)), unreadable };
}

/** Texts are remembered in one place only, and only if a person asked for it. */
export async function writeRun({ rows: _texts, ...record }: RunRecord): Promise<void> {
  await inStore("runs", "readwrite", (store) => store.put(record, record.id));
}

export async function deleteRun(key: IDBValidKey): Promise<void> {
  await inStore("runs", "readwrite", (store) => store.delete(key));
}
