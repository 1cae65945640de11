/**
 * What is known of a model that is kept: which files it has, of which versions, and how many checked bytes are there.
 * It is written anew at each change and never in place, so that a tab may be killed at any moment.
 */
import { bytesToHex, sha256 } from "../vendor/hashes.js";
import { ggufOf } from "./gguf-file.js";
import { shown, type Version } from "./network.js";
import type { SettledSource } from "./settle.js";

/** A source as it is kept: without access token, query, name and password. */
export type KeptSource =
  | { url: string; name?: string }
  | { repository: string; file?: string; revision?: string; hubUrl?: string };

/** The bytes of one file that are there. */
export interface Stored {
  /** In the model's folder. */
  name: string;
  /** From the file's first byte on. */
  bytes: number;
  /** SHA-256 of each block of `BLOCK_BYTES`, the last one of what there is of it. */
  blocks: string[];
}

export interface KeptEntry {
  path: string;
  version: Version & { size: number };
  /** The hub's name of these very bytes: `sha256:` or `git:` and a hash. */
  content?: string | undefined;
  stored?: Stored | undefined;
}

export interface About {
  format: typeof FORMAT;
  id: string;
  name: string;
  source: KeptSource;
  /** The hub's commit that the files are of. */
  commit?: string | undefined;
  /** When bytes were last fetched, in milliseconds since 1970. */
  at: number;
  /** A load has found all that it needed. */
  complete: boolean;
  files: KeptEntry[];
  /** Paths that were asked for and aren't there. */
  absent: string[];
}

export const FORMAT = 1;
export const BLOCK_BYTES = 4 * 2 ** 20;
const HUB = "https://huggingface.co";
const ROOT = "webtune-models";

/** The part of `FileSystemSyncAccessHandle` that is used here; the DOM's types describe a page, which has none. */
export interface SyncHandle {
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

/** Undefined where there is no private file system, or no locks: in Node, without https, in some private windows. */
export async function keptRoot(): Promise<FileSystemDirectoryHandle | undefined> {
  const { navigator } = globalThis as { navigator?: Partial<Navigator> };
  if (!navigator?.storage?.getDirectory || !navigator.locks) return undefined;
  let root: FileSystemDirectoryHandle;
  try {
    root = await navigator.storage.getDirectory();
  } catch {
    // Some browsers have the function in a private window, but only to refuse.
    return undefined;
  }
  return root.getDirectoryHandle(ROOT, { create: true });
}

/** What is kept of a source, and under which name; undefined for files, which are on this computer anyway. */
export function keptAs(source: SettledSource): { id: string; name: string; source: KeptSource } | undefined {
  if ("files" in source || "folder" in source) return undefined;
  if ("url" in source) {
    if (!/^https?:/.test(source.url)) return undefined;
    // A folder is the same with and without a slash at its end.
    const url = shown(source.url).replace(/\/*$/, ggufOf(source.url) === undefined ? "/" : "");
    const { name } = source;
    return { id: url, name: name ?? url, source: { url, ...(name !== undefined && { name }) } };
  }
  const { repository: given, file, revision: wanted, hubUrl } = source;
  const repository = given.trim();
  const revision = wanted?.trim() || "main";
  const hub = shown(hubUrl ?? HUB).replace(/\/*$/, "");
  return {
    id: `${hub}/${repository}@${revision}${file === undefined ? "" : `/${file}`}`,
    name: repository,
    source: {
      repository,
      ...(file !== undefined && { file }),
      ...(revision !== "main" && { revision }),
      ...(hub !== HUB && { hubUrl: hub }),
    },
  };
}

/** The folder's name; an id may have characters that no file system takes. */
export function folderOf(id: string): string {
  return bytesToHex(sha256(new TextEncoder().encode(id))).slice(0, 40);
}

/** Waits for nobody: undefined where another tab has it. */
export function holdFolder(folder: string): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    const held = (lock: Lock | null): Promise<void> | undefined => {
      if (lock) return new Promise<void>((free) => resolve(free));
      resolve(undefined);
      return undefined;
    };
    navigator.locks.request(`${ROOT}/${folder}`, { ifAvailable: true }, held).catch(reject);
  });
}

/** The newest that was written whole. */
export async function readAbout(
  folder: FileSystemDirectoryHandle,
): Promise<{ about: About; turn: number } | undefined> {
  for (const turn of await turnsIn(folder)) {
    try {
      const file = await (await folder.getFileHandle(nameOf(turn))).getFile();
      const about: unknown = JSON.parse(await file.text());
      if (isAbout(about)) return { about, turn };
    } catch {
      // Cut while it was written, or replaced by a newer one this moment: the one before says the same, or less.
    }
  }
  return undefined;
}

/** Writes the next one; only then the earlier ones go. */
export async function writeAbout(folder: FileSystemDirectoryHandle, about: About, turn: number): Promise<void> {
  const handle = await openSync(folder, nameOf(turn));
  try {
    handle.truncate(0);
    writeAll(handle, new TextEncoder().encode(JSON.stringify(about)), 0);
    handle.flush();
  } finally {
    handle.close();
  }
  for (const earlier of await turnsIn(folder)) {
    if (earlier < turn) await folder.removeEntry(nameOf(earlier));
  }
}

/** Exclusive: fails while any other tab has it. */
export async function openSync(folder: FileSystemDirectoryHandle, name: string): Promise<SyncHandle> {
  const file = (await folder.getFileHandle(name, { create: true })) as FileSystemFileHandle & {
    createSyncAccessHandle?(): Promise<SyncHandle>;
  };
  if (!file.createSyncAccessHandle) throw new Error("this browser can't write files in a worker");
  return file.createSyncAccessHandle();
}

/** A browser without room may write less than it was given, and not fail. */
export function writeAll(handle: SyncHandle, bytes: Uint8Array, at: number): void {
  const written = handle.write(bytes, { at });
  if (written !== bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes could be written`);
}

const nameOf = (turn: number): string => `about-${turn}.json`;

/** Of the newest first. */
async function turnsIn(folder: FileSystemDirectoryHandle): Promise<number[]> {
  const turns: number[] = [];
  for await (const name of folder.keys()) {
    const match = /^about-(\d{1,15})\.json$/.exec(name);
    if (match) turns.push(Number(match[1]));
  }
  return turns.sort((a, b) => b - a);
}

function isAbout(value: unknown): value is About {
  const about = value as About;
  return (
    typeof value === "object" &&
    value !== null &&
    about.format === FORMAT &&
    [about.id, about.name].every((text) => typeof text === "string") &&
    typeof about.source === "object" &&
    about.source !== null &&
    typeof about.at === "number" &&
    typeof about.complete === "boolean" &&
    Array.isArray(about.absent) &&
    Array.isArray(about.files) &&
    about.files.every(isEntry)
  );
}

function isEntry(entry: KeptEntry): boolean {
  const { path, version, stored } = entry ?? {};
  if (typeof path !== "string" || !Number.isSafeInteger(version?.size)) return false;
  if (stored === undefined) return true;
  const { name, bytes, blocks } = stored;
  return (
    typeof name === "string" &&
    Number.isSafeInteger(bytes) &&
    bytes <= version.size &&
    Array.isArray(blocks) &&
    blocks.length === Math.ceil(bytes / BLOCK_BYTES)
  );
}
