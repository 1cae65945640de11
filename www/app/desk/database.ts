/** Access to the stores that the browser keeps for this page, on this device only. */
const DATABASE = "webtune-page";
/** Counts up when a store is added. */
const VERSION = 3;
const STORES = ["examples", "runs", "unfinished"] as const;

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, VERSION);
    let tooLate = false;
    request.onupgradeneeded = () => {
      for (const name of STORES) {
        if (!request.result.objectStoreNames.contains(name)) request.result.createObjectStore(name);
      }
    };
    request.onsuccess = () => {
      const database = request.result;
      // A later version of this page in another tab waits until all are closed.
      database.onversionchange = () => database.close();
      if (tooLate) database.close();
      else resolve(database);
    };
    request.onblocked = () => {
      tooLate = true;
      reject(new Error("another tab is using this page's storage; close it first"));
    };
    request.onerror = () => reject(request.error ?? new Error("this browser refused to open its storage"));
  });
}

/** One transaction. `work` may ask for several things; it gives the request whose result is wanted. */
export async function inStore<T>(
  name: (typeof STORES)[number],
  mode: IDBTransactionMode,
  work: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const database = await open();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(name, mode);
      const request = work(transaction.objectStore(name));
      transaction.oncomplete = () => resolve(request.result);
      // Only a request knows its error when this fires; a full storage may show at the end of the transaction.
      transaction.onerror = (event) => reject((event.target as IDBRequest).error ?? new Error("the storage failed"));
      transaction.onabort = () => reject(transaction.error ?? new Error("the storage is full"));
    });
  } catch (error) {
    // Browsers give no words with it.
    const isFull = error instanceof DOMException && error.name === "QuotaExceededError";
    throw isFull ? new Error("the storage is full") : error;
  } finally {
    database.close();
  }
}
