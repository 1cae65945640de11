/** Where a large export is written, file by file: a folder on disk if the browser lets a page write one, if not a zip. */
import { makeZip } from "client-zip";
import type { ExportPiece } from "webtune";
import { download } from "../ui/files";
import { codeOf, messageOf } from "../ui/format";

/** Takes the pieces of one export. */
export interface DownloadTarget {
  /** For a person. */
  readonly name: string;
  /**
   * Gives what a person should know. After a failure nothing is left that looks whole.
   *
   * @param onWritten Hears how many bytes are written so far.
   */
  save(pieces: AsyncIterable<ExportPiece>, onWritten: (bytes: number) => void): Promise<string>;
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

/** Is in a folder until all of its files are: a tab may be closed in the middle. */
const MARK = "NOT-COMPLETE.txt";
const MARK_TEXT =
  "webtune was still writing this folder when its tab was closed. Files are missing. Export it again.\n";

class FolderTarget implements DownloadTarget {
  readonly name: string;

  constructor(
    private readonly picked: FileSystemDirectoryHandle,
    private readonly own: string,
  ) {
    this.name = `${picked.name}/${own}`;
  }

  async save(pieces: AsyncIterable<ExportPiece>, onWritten: (bytes: number) => void): Promise<string> {
    let folder: FileSystemDirectoryHandle | undefined;
    try {
      let files = 0;
      let written = 0;
      for await (const { path, content } of filesOf(pieces)) {
        // With the first file, so that a refusal leaves no empty folder.
        folder ??= await this.#begin();
        await writeFile(folder, path, content, (bytes) => {
          written += bytes;
          onWritten(written);
        });
        files += 1;
      }
      await folder?.removeEntry(MARK);
      return `${files} files were written to the folder ${this.name}.`;
    } catch (error) {
      if (folder) await this.#remove(error);
      throw error;
    }
  }

  async #begin(): Promise<FileSystemDirectoryHandle> {
    const folder = await this.picked.getDirectoryHandle(this.own, { create: true });
    const mark = await (await folder.getFileHandle(MARK, { create: true })).createWritable();
    await mark.write(MARK_TEXT);
    await mark.close();
    return folder;
  }

  /** @throws Error with the first reason, and with this one if that fails as well. */
  async #remove(first: unknown): Promise<void> {
    try {
      await this.picked.removeEntry(this.own, { recursive: true });
    } catch (second) {
      const left = `What was written to ${this.name} could not be removed (${messageOf(second)}); it is not complete.`;
      const both = new Error(`${messageOf(first).replace(/\.$/, "")}. ${left}`, { cause: first });
      throw Object.assign(both, { code: codeOf(first) });
    }
  }
}

async function writeFile(
  folder: FileSystemDirectoryHandle,
  path: string,
  content: AsyncIterable<Uint8Array>,
  onWritten: (bytes: number) => void,
): Promise<void> {
  const folders = path.split("/");
  const name = folders.pop() ?? path;
  let inside = folder;
  for (const part of folders) inside = await inside.getDirectoryHandle(part, { create: true });
  const file = await (await inside.getFileHandle(name, { create: true })).createWritable();
  try {
    for await (const bytes of content) {
      await file.write(new Uint8Array(bytes));
      onWritten(bytes.length);
    }
    await file.close();
  } catch (error) {
    // A stream that has failed cannot be ended once more, and the first failure is the one to hear of.
    await file.abort().catch(() => undefined);
    throw error;
  }
}

/** Nothing is compressed, as weights hardly shrink. Above 4 GiB it is a ZIP64, which every common tool reads. */
export class ZipTarget implements DownloadTarget {
  constructor(readonly name: string) {}

  async save(pieces: AsyncIterable<ExportPiece>, onWritten: (bytes: number) => void): Promise<string> {
    // Each piece becomes a `Blob`, which the browser may move to disk.
    const parts: Blob[] = [];
    let written = 0;
    for await (const bytes of streamed(makeZip(entriesOf(pieces)))) {
      parts.push(new Blob([bytes as Uint8Array<ArrayBuffer>]));
      written += bytes.length;
      onWritten(written);
    }
    download(this.name, new Blob(parts), "application/zip");
    return `${this.name} was handed to the browser's downloads.`;
  }
}

async function* entriesOf(pieces: AsyncIterable<ExportPiece>) {
  for await (const { path, size, content } of filesOf(pieces)) yield { name: path, size, input: content };
}

/** Not every browser reads a stream with `for await`. */
async function* streamed(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}

interface FileOfPieces {
  path: string;
  size: number;
  /** To be read to its end before the next file is asked for. */
  content: AsyncIterable<Uint8Array>;
}

async function* filesOf(pieces: AsyncIterable<ExportPiece>): AsyncGenerator<FileOfPieces, void, undefined> {
  const iterator = pieces[Symbol.asyncIterator]();
  async function* contentOf(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const { done, value } = await iterator.next();
      if (done || !(value instanceof Uint8Array)) return;
      yield value;
    }
  }
  try {
    for (;;) {
      const { done, value } = await iterator.next();
      if (done) return;
      if (!(value instanceof Uint8Array) && "open" in value) yield { ...value.open, content: contentOf() };
    }
  } finally {
    await iterator.return?.();
  }
}
