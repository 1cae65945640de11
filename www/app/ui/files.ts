/** Files and folders that a person dropped or chose, zips read and written, and downloads. */
// The asynchronous calls of fflate start workers from `blob:` addresses, which the page's policy forbids.
import { strFromU8, Unzip, UnzipInflate, zipSync } from "fflate";
import type { ExportedFile } from "webtune";
import { bytes, count, messageOf } from "./format";

export interface FolderFile {
  path: string;
  blob: Blob;
}

export interface Folder {
  /** The folder's name, or empty if single files were chosen. */
  name: string;
  files: FolderFile[];
}

/** Takes one common first folder off the paths and uses it as the name. */
export function asFolder(files: FolderFile[]): Folder {
  const first = files[0]?.path.split("/")[0] ?? "";
  const inside = files.length > 0 && files.every((file) => file.path.startsWith(`${first}/`));
  if (!inside) return { name: "", files };
  return { name: first, files: files.map((file) => ({ ...file, path: file.path.slice(first.length + 1) })) };
}

export function folderFromList(list: FileList | null): Folder {
  return asFolder([...(list ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, blob: file })));
}

/** A folder with more is not the one that was meant. */
const MOST_FILES = 20_000;

/** Walks dropped folders; the entries must be taken before the event ends, so nothing is awaited before that. */
export async function folderFromDrop(transfer: DataTransfer): Promise<Folder> {
  const entries = [...transfer.items]
    .map((item) => item.webkitGetAsEntry?.() ?? null)
    .filter((entry) => entry !== null);
  if (entries.length === 0) return folderFromList(transfer.files);
  const files: FolderFile[] = [];
  for (const entry of entries) await walk(entry, files);
  return asFolder(files);
}

async function walk(entry: FileSystemEntry, into: FolderFile[]): Promise<void> {
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    const blob = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    into.push({ path, blob });
    if (into.length > MOST_FILES) throw new Error(`more than ${count(MOST_FILES)} files`);
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // A reader hands out a folder in portions of about 100 and ends with an empty one.
  for (;;) {
    const portion = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (portion.length === 0) return;
    for (const child of portion) await walk(child, into);
  }
}

/** @throws Error with both numbers. */
export function checkSize(size: number, { most, what }: { most: number; what: string }, isAll = true): void {
  const words = `${isAll ? "" : "at least "}${bytes(size)}`;
  if (size > most) throw new Error(`${what} may have ${bytes(most)} at most, and this has ${words}`);
}

/** Which files of a folder or a zip are read, and how much of them. */
interface Wanted {
  is: (path: string) => boolean;
  /** Bytes of all of them together, once they are unpacked. */
  most: number;
  /** What they are, for an error: "the files of an adapter". */
  what: string;
}

/** Bytes of a zip that are read in one go. */
const READ = 1 << 22;
/** Of these, those that are unpacked in one go: a thousand times as many may come out. */
const PIECE = 1 << 14;

/** Names and sizes come first: what is not wanted is not read. */
export async function readFolder(folder: Folder, wanted: Wanted): Promise<ExportedFile[]> {
  const only = folder.files.length === 1 ? folder.files[0] : undefined;
  if (only && /\.zip$/i.test(only.path)) return readZip(only, wanted);
  const files = folder.files.filter(({ path }) => wanted.is(path));
  checkSize(
    files.reduce((sum, { blob }) => sum + blob.size, 0),
    wanted,
  );
  return Promise.all(files.map(async ({ path, blob }) => ({ path, bytes: new Uint8Array(await blob.arrayBuffer()) })));
}

async function readZip({ path: name, blob }: FolderFile, wanted: Wanted): Promise<ExportedFile[]> {
  const start = new Uint8Array(await blob.slice(0, 4).arrayBuffer());
  // A zip starts with a local file header, unless it is empty.
  if (strFromU8(start, true) !== "PK\x03\x04") {
    throw new Error(`${name}: expected a zip file, found ${blob.size === 0 ? "an empty file" : "other bytes"}`);
  }
  try {
    return await unpacked(blob, wanted);
  } catch (error) {
    throw new Error(`${name}: the zip cannot be read (${messageOf(error)})`);
  }
}

/** A zip may say that its files are small and unpack to a thousand times its size, so what comes out is counted. */
async function unpacked(blob: Blob, wanted: Wanted): Promise<ExportedFile[]> {
  const files: { path: string; pieces: Uint8Array[]; isWhole: boolean }[] = [];
  let size = 0;
  const unzip = new Unzip((entry) => {
    if (entry.name.endsWith("/") || entry.name.startsWith("__MACOSX/") || !wanted.is(entry.name)) return;
    checkSize(size + (entry.originalSize ?? 0), wanted, false);
    const file = { path: entry.name, pieces: [] as Uint8Array[], isWhole: false };
    files.push(file);
    entry.ondata = (error, piece, isLast) => {
      if (error) throw error;
      size += piece.length;
      checkSize(size, wanted, false);
      file.pieces.push(piece);
      file.isWhole = isLast;
    };
    entry.start();
  });
  unzip.register(UnzipInflate);
  for (let from = 0; from < blob.size; from += READ) {
    const read = new Uint8Array(await blob.slice(from, from + READ).arrayBuffer());
    for (let at = 0; at < read.length; at += PIECE) {
      unzip.push(read.subarray(at, at + PIECE), from + at + PIECE >= blob.size);
    }
  }
  const cut = files.find(({ isWhole }) => !isWhole);
  if (cut) throw new Error(`${cut.path} is cut off`);
  return Promise.all(
    files.map(async ({ path, pieces }) => ({
      path,
      bytes: new Uint8Array(await new Blob(pieces as Uint8Array<ArrayBuffer>[]).arrayBuffer()),
    })),
  );
}

export function writeZip(files: readonly ExportedFile[]): Uint8Array<ArrayBuffer> {
  const entries: Record<string, Uint8Array> = {};
  for (const { path, bytes } of files) entries[path] = bytes;
  // Level 1: weights hardly shrink.
  return new Uint8Array(zipSync(entries, { level: 1 }));
}

/** Hands a file to the browser's downloads. */
export function download(name: string, content: BlobPart, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads the address after this task; a minute is ample.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
