/** Access to the stores that the browser keeps for this page, on this device only. */
const DATABASE = "webtune-page";
/** Counts up when a store is added. */
const VERSION = 3;
const STORES = ["examples", "runs", "unfinished"] as const;

/** What has a newer version's form must not be written by this one. */
const OVERTAKEN =
  "a newer version of this page, in another tab, has changed the storage; save your work to files, then reload this tab";

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
    request.onerror = () => {
      const { error } = request;
      const isOlder = error?.name === "VersionError";
      reject(isOlder ? new Error(OVERTAKEN) : (error ?? new Error("this browser refused to open its storage")));
    };
  });
}

/** What is done once a request of the transaction has its result. */
type After = <R>(request: IDBRequest<R>, next: (result: R) => void) => void;

/**
 * One transaction. `work` may ask for several things; it gives the request whose result is wanted. What is written is on the disk when
 * this settles: a laptop whose battery is empty keeps it.
 */
export async function inStore<T>(
  name: (typeof STORES)[number],
  mode: IDBTransactionMode,
  work: (store: IDBObjectStore, after: After) => IDBRequest<T>,
): Promise<T> {
  const database = await open();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(name, mode, { durability: "strict" });
      let failure: unknown;
      // What is thrown in an event would be heard by nobody.
      const after: After = (asked, next) => {
        asked.onsuccess = () => {
          try {
            next(asked.result);
          } catch (error) {
            failure = error;
            transaction.abort();
          }
        };
      };
      const request = work(transaction.objectStore(name), after);
      transaction.oncomplete = () => resolve(request.result);
      // Only a request knows its error when this fires; a full storage may show at the end of the transaction.
      transaction.onerror = (event) =>
        reject(failure ?? (event.target as IDBRequest).error ?? new Error("the storage failed"));
      transaction.onabort = () => reject(failure ?? transaction.error ?? new Error("the storage is full"));
    });
  } catch (error) {
    // Browsers give no words with it.
    const isFull = error instanceof DOMException && error.name === "QuotaExceededError";
    throw isFull ? new Error("the storage is full") : error;
  } finally {
    database.close();
  }
}

/**
 * Puts what `next` makes of what is there, in one transaction, so that no other tab gets in between. Gives false if `next` gives
 * undefined, and changes nothing then.
 */
export async function replaceIn(
  name: (typeof STORES)[number],
  key: IDBValidKey,
  next: (found: unknown) => { put: unknown } | "delete" | undefined,
): Promise<boolean> {
  let isReplaced = false;
  await inStore<unknown>(name, "readwrite", (store, after) => {
    const reading: IDBRequest<unknown> = store.get(key);
    after(reading, (found) => {
      const made = next(found);
      isReplaced = made !== undefined;
      if (made === "delete") store.delete(key);
      else if (made) store.put(made.put, key);
    });
    return reading;
  });
  return isReplaced;
}
