/**
 * Lists and removes the models that this browser keeps for this page's origin.
 */
import { messageOf, WebtuneError } from "../errors.js";
import { type About, folderOf, holdFolder, type KeptSource, keptRoot, readAbout } from "./kept-about.js";

/** A model whose files are in the browser's private file system, so that it loads without a network. */
export interface KeptModel {
  /** For `removeKeptModel`: the address of its folder or file, or hub, repository, revision and file. */
  id: string;
  /** As it was called when it was loaded. */
  name: string;
  /** To load it again. Access tokens and an address's query are never kept. */
  source: KeptSource;
  /** That are there. */
  bytes: number;
  /** False where its download was cut off: loading it goes on from there. */
  complete: boolean;
  /** When bytes of it were last fetched. */
  keptAt: Date;
}

/**
 * What is kept, the newest first; nothing where the browser has no private file system, as in some private windows and without
 * https.
 *
 * @throws WebtuneError `readFailed` where the browser's storage fails.
 */
export async function keptModels(): Promise<KeptModel[]> {
  return inStore("the kept models", async () => {
    const root = await keptRoot();
    const models: KeptModel[] = [];
    for (const folder of root ? await foldersIn(root) : []) {
      const found = await readAbout(folder);
      if (found) models.push(modelOf(found.about));
      // Of a removal that was cut off; or of a load that has just begun, which holds it.
      else if (root) await removeFolder(root, folder.name);
    }
    return models.sort((a, b) => b.keptAt.getTime() - a.keptAt.getTime());
  });
}

/**
 * Removes a kept model. One that is loaded stays loaded.
 *
 * @param id Of `keptModels()`. One that isn't kept, or no longer, is no error.
 * @throws WebtuneError `invalidState` while a tab is loading it, `readFailed` where the browser's storage fails.
 */
export async function removeKeptModel(id: string): Promise<void> {
  await inStore(id, async () => {
    const root = await keptRoot();
    if (!root || (await removeFolder(root, folderOf(id)))) return;
    throw new WebtuneError("invalidState", `${id} is being loaded; remove it once that has ended`);
  });
}

function modelOf({ id, name, source, files, complete, at }: About): KeptModel {
  const bytes = files.reduce((sum, { stored }) => sum + (stored?.bytes ?? 0), 0);
  return { id, name, source, bytes, complete, keptAt: new Date(at) };
}

async function foldersIn(root: FileSystemDirectoryHandle): Promise<FileSystemDirectoryHandle[]> {
  const folders: FileSystemDirectoryHandle[] = [];
  for await (const handle of root.values()) {
    if (handle.kind === "directory") folders.push(handle as FileSystemDirectoryHandle);
  }
  return folders;
}

/** False where a tab is loading it. */
async function removeFolder(root: FileSystemDirectoryHandle, name: string): Promise<boolean> {
  const free = await holdFolder(name);
  if (!free) return false;
  try {
    await root.removeEntry(name, { recursive: true });
  } catch (error) {
    // Removed by another tab a moment ago.
    if (!(error instanceof DOMException && error.name === "NotFoundError")) throw error;
  } finally {
    free();
  }
  return true;
}

async function inStore<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof WebtuneError) throw error;
    throw new WebtuneError("readFailed", `${what}: this browser's storage failed (${messageOf(error)})`);
  }
}
