/** Files and folders that a person dropped or chose, zips read and written, and downloads. */
// The asynchronous calls of fflate start workers from `blob:` addresses, which the page's policy forbids.
import { strFromU8, unzipSync, zipSync } from "fflate";
import type { ExportedFile } from "webtune";
import { messageOf } from "./format";

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

/** The files of an exported adapter, from its zip or its folder. */
export async function adapterFiles(folder: Folder): Promise<ExportedFile[]> {
  const only = folder.files.length === 1 ? folder.files[0] : undefined;
  if (only && /\.zip$/i.test(only.path)) return readZip(only);
  return Promise.all(
    folder.files.map(async ({ path, blob }) => ({ path, bytes: new Uint8Array(await blob.arrayBuffer()) })),
  );
}

async function readZip({ path: name, blob }: FolderFile): Promise<ExportedFile[]> {
  const data = new Uint8Array(await blob.arrayBuffer());
  // A zip starts with a local file header, unless it is empty.
  if (data.length < 4 || strFromU8(data.subarray(0, 4), true) !== "PK\x03\x04") {
    throw new Error(`${name}: expected a zip file, found ${data.length === 0 ? "an empty file" : "other bytes"}`);
  }
  let unpacked: Record<string, Uint8Array>;
  try {
    unpacked = unzipSync(data);
  } catch (error) {
    throw new Error(`${name}: the zip cannot be read (${messageOf(error)})`);
  }
  const files = Object.entries(unpacked)
    .filter(([path]) => !path.endsWith("/") && !path.startsWith("__MACOSX/"))
    .map(([path, content]) => ({ path, bytes: content }));
  const first = files[0]?.path.split("/")[0] ?? "";
  const inside = files.length > 0 && files.every((file) => file.path.startsWith(`${first}/`));
  return inside ? files.map((file) => ({ ...file, path: file.path.slice(first.length + 1) })) : files;
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
