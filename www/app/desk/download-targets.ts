/** Where a large export is written, file by file: a folder on disk if the browser lets a page write one, if not a zip. */
import { Zip, ZipPassThrough } from "fflate";
import { download } from "../ui/files";

/** Somewhere that takes one file after the other. */
export interface DownloadTarget {
  /** For a person. */
  readonly name: string;
  /** Bytes so far. */
  readonly written: number;
  open(path: string): Promise<void>;
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
  /** Removes what was written, after a failure. */
  abandon(): Promise<void>;
  /** What a person should know. */
  finish(): string;
}

// The File System Access API, which TypeScript's types of browsers leave out.
declare global {
  interface Window {
    showDirectoryPicker?: (options: { id?: string; mode?: "readwrite" }) => Promise<FileSystemDirectoryHandle>;
  }
}

/** A new folder inside the one that the person picks; undefined if the browser has no such dialog. */
export async function pickFolder(name: string): Promise<DownloadTarget | undefined> {
  if (!window.showDirectoryPicker) return undefined;
  const picked = await window.showDirectoryPicker({ id: "webtune", mode: "readwrite" });
  return new FolderTarget(picked, await freeName(picked, name));
}

/** Nothing in that folder is overwritten: `NAME-2` if `NAME` is taken. */
async function freeName(picked: FileSystemDirectoryHandle, name: string): Promise<string> {
  const taken = new Set<string>();
  for await (const entry of picked.keys()) taken.add(entry);
  for (let count = 1; ; count += 1) {
    const free = count === 1 ? name : `${name}-${count}`;
    if (!taken.has(free)) return free;
  }
}

class FolderTarget implements DownloadTarget {
  readonly name: string;
  written = 0;
  #folder: FileSystemDirectoryHandle | undefined;
  #file: FileSystemWritableFileStream | undefined;
  #files = 0;

  constructor(
    private readonly picked: FileSystemDirectoryHandle,
    private readonly own: string,
  ) {
    this.name = `${picked.name}/${own}`;
  }

  async open(path: string): Promise<void> {
    // With the first file, so that a refusal leaves no empty folder.
    this.#folder ??= await this.picked.getDirectoryHandle(this.own, { create: true });
    const handle = await this.#folder.getFileHandle(path, { create: true });
    this.#file = await handle.createWritable();
    this.#files += 1;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#file?.write(new Uint8Array(bytes));
    this.written += bytes.length;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async abandon(): Promise<void> {
    await this.#file?.abort();
    this.#file = undefined;
    if (this.#folder) await this.picked.removeEntry(this.own, { recursive: true });
  }

  finish(): string {
    return `${this.#files} files were written to the folder ${this.name}.`;
  }
}

/** Sizes and offsets in a zip have 32 bits. */
const ZIP_LIMIT = 2 ** 32 - 1;
/** For what comes before and after each file, and in the list at the end. */
const ZIP_RESERVE = 2 ** 20;

/** Each piece becomes a `Blob`, which the browser may move to disk. Nothing is compressed, as weights hardly shrink. */
export class ZipTarget implements DownloadTarget {
  readonly #parts: Blob[] = [];
  readonly #zip: Zip;
  #file: ZipPassThrough | undefined;
  #failure: Error | undefined;
  written = 0;

  constructor(readonly name: string) {
    this.#zip = new Zip((error, bytes) => {
      if (error) this.#failure = error;
      else this.#parts.push(new Blob([new Uint8Array(bytes)]));
    });
  }

  async open(path: string): Promise<void> {
    this.#file = new ZipPassThrough(path);
    this.#zip.add(this.#file);
    this.#check();
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.written += bytes.length;
    if (this.written > ZIP_LIMIT - ZIP_RESERVE) {
      throw new Error(
        `${this.name}: a zip holds at most 4 GiB; use a browser that can write into a folder, such as Chrome`,
      );
    }
    this.#file?.push(bytes);
    this.#check();
  }

  async close(): Promise<void> {
    this.#file?.push(new Uint8Array(), true);
    this.#check();
  }

  async abandon(): Promise<void> {
    this.#zip.terminate();
    this.#parts.length = 0;
  }

  finish(): string {
    this.#zip.end();
    this.#check();
    download(this.name, new Blob(this.#parts), "application/zip");
    return `${this.name} was handed to the browser's downloads.`;
  }

  #check(): void {
    if (this.#failure) throw this.#failure;
  }
}
