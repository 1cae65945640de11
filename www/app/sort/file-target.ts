/** Where a labelled file is written as it is made: to the disk if the browser lets a page write there, if not into a `Blob` to be downloaded. */

export interface FileTarget {
  /** For a person. */
  readonly name: string;
  /** Whether it is on the disk once it has ended, so that there is nothing to download. */
  readonly isOnDisk: boolean;
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Keeps what is written; gives it where it is not on the disk. */
  end(): Promise<Blob | undefined>;
}

// The File System Access API, which TypeScript's types of browsers leave out.
declare global {
  interface Window {
    showSaveFilePicker?: (options: { id?: string; suggestedName?: string }) => Promise<FileSystemFileHandle>;
  }
}

/**
 * The file that the person picks, where the browser has a dialog for it.
 *
 * @throws DOMException `AbortError` if the dialog is closed.
 */
export async function pickTarget(name: string): Promise<FileTarget> {
  if (!window.showSaveFilePicker) return new BlobTarget(name);
  const picked = await window.showSaveFilePicker({ id: "webtune", suggestedName: name });
  const stream = await picked.createWritable();
  return {
    name: picked.name,
    isOnDisk: true,
    write: (bytes) => stream.write(bytes),
    // The browser puts the file in its place only now.
    end: async () => {
      await stream.close();
      return undefined;
    },
  };
}

/** Bytes that become one `Blob`, which the browser may move to disk. */
const PIECE = 1 << 22;

class BlobTarget implements FileTarget {
  readonly isOnDisk = false;
  readonly #blobs: Blob[] = [];
  #pieces: Uint8Array<ArrayBuffer>[] = [];
  #length = 0;

  constructor(readonly name: string) {}

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
    if (this.#length >= PIECE) this.#pack();
  }

  async end(): Promise<Blob> {
    this.#pack();
    return new Blob(this.#blobs);
  }

  #pack(): void {
    this.#blobs.push(new Blob(this.#pieces));
    this.#pieces = [];
    this.#length = 0;
  }
}
