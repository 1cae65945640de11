/**
 * Enters: files piece by piece. Leaves: a folder on disk where the browser lets a page write one, a zip otherwise.
 */
import { Zip, ZipPassThrough } from "fflate";
import { download } from "../../files";

/** Somewhere that takes one file after the other. */
export interface Sink {
  /** For a person. */
  readonly name: string;
  open(path: string): Promise<void>;
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
  /** After a failure: no half a file stays. */
  abandon(): Promise<void>;
  /** What a person should know. */
  finish(): string;
}

// The File System Access API, which TypeScript's own description of browsers leaves out.
declare global {
  interface Window {
    showDirectoryPicker?: (options: { id?: string; mode?: "readwrite" }) => Promise<FileSystemDirectoryHandle>;
  }
}

/** A new folder inside the one that the person picks; undefined where the browser has no such dialog. */
export async function pickFolder(name: string): Promise<Sink | undefined> {
  if (!window.showDirectoryPicker) return undefined;
  const picked = await window.showDirectoryPicker({ id: "webtune", mode: "readwrite" });
  return new FolderSink(picked, await picked.getDirectoryHandle(name, { create: true }));
}

class FolderSink implements Sink {
  readonly name: string;
  #file: FileSystemWritableFileStream | undefined;
  #files = 0;

  constructor(
    picked: FileSystemDirectoryHandle,
    private readonly folder: FileSystemDirectoryHandle,
  ) {
    this.name = `${picked.name}/${folder.name}`;
  }

  async open(path: string): Promise<void> {
    const handle = await this.folder.getFileHandle(path, { create: true });
    this.#file = await handle.createWritable();
    this.#files += 1;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#file?.write(new Uint8Array(bytes));
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async abandon(): Promise<void> {
    await this.#file?.abort();
    this.#file = undefined;
  }

  finish(): string {
    return `${this.#files} files were written to the folder ${this.name}.`;
  }
}

/** Parts of a `Blob`, which the browser may keep on disk; nothing is compressed, as weights hardly shrink. */
export class ZipSink implements Sink {
  readonly #parts: Uint8Array<ArrayBuffer>[] = [];
  readonly #zip: Zip;
  #file: ZipPassThrough | undefined;
  #failure: Error | undefined;

  constructor(readonly name: string) {
    this.#zip = new Zip((error, bytes) => {
      if (error) this.#failure = error;
      else this.#parts.push(new Uint8Array(bytes));
    });
  }

  async open(path: string): Promise<void> {
    this.#file = new ZipPassThrough(path);
    this.#zip.add(this.#file);
    this.#check();
  }

  async write(bytes: Uint8Array): Promise<void> {
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
