/**
 * Enters: examples that a person asked to remember. Leaves: the same examples after a reload, on this device only.
 */
import type { Example } from "webtune";

const DATABASE = "webtune-page";
const STORE = "examples";
const KEY = "current";

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("this browser refused to open its storage"));
  });
}

async function use<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = () => reject(transaction.error ?? new Error("the browser's storage failed"));
      transaction.onabort = () => reject(transaction.error ?? new Error("the browser's storage is full"));
    });
  } finally {
    database.close();
  }
}

/** Undefined where nothing was remembered. */
export async function recall(): Promise<Example[] | undefined> {
  return (await use("readonly", (store) => store.get(KEY))) as Example[] | undefined;
}

export async function remember(examples: Example[]): Promise<void> {
  await use("readwrite", (store) => store.put(examples, KEY));
}

export async function forget(): Promise<void> {
  await use("readwrite", (store) => store.delete(KEY));
}
