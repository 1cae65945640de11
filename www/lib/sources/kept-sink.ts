/**
 * Writes a file's bytes into the private file system block by block, each with its hash, and goes on where an earlier load was cut off.
 */
import { bytesToHex } from "../vendor/hashes.js";
import type { Sink } from "./download.js";
import { BLOCK_BYTES, openSync, type Stored, type SyncHandle, writeAll } from "./kept-about.js";
import { Final } from "./network.js";

/** Bytes between two notes of how far the file is: what a killed tab may have to fetch again. */
const NOTE_BYTES = 16 * 2 ** 20;

/** The store failed, and not the network. */
export class StoreTrouble extends Final {}

export class KeptSink implements Sink {
  readonly #handle: SyncHandle;
  readonly #stored: Stored;
  /** Notes how many bytes are safely there. */
  readonly #note: () => Promise<void>;
  readonly #block = new Uint8Array(BLOCK_BYTES);
  /** Of `#block`. */
  #filled = 0;
  /** In whole blocks. */
  #written = 0;
  #noted: number;

  private constructor(handle: SyncHandle, stored: Stored, note: () => Promise<void>) {
    this.#handle = handle;
    this.#stored = stored;
    this.#note = note;
    this.#noted = stored.bytes;
  }

  /**
   * Goes on with what `stored` says is there, as far as it is undamaged.
   *
   * @param stored Is kept up to date.
   */
  static async open(folder: FileSystemDirectoryHandle, stored: Stored, note: () => Promise<void>): Promise<KeptSink> {
    return inStore(async () => {
      const sink = new KeptSink(await openSync(folder, stored.name), stored, note);
      try {
        await sink.#takeUp();
      } catch (error) {
        sink.#handle.close();
        throw error;
      }
      return sink;
    });
  }

  get length(): number {
    return this.#written + this.#filled;
  }

  write(chunk: Uint8Array<ArrayBuffer>): Promise<void> {
    return inStore(async () => {
      for (let at = 0; at < chunk.length; ) {
        const part = chunk.subarray(at, at + BLOCK_BYTES - this.#filled);
        this.#block.set(part, this.#filled);
        this.#filled += part.length;
        at += part.length;
        if (this.#filled < BLOCK_BYTES) continue;
        await this.#put();
        this.#written += BLOCK_BYTES;
        this.#filled = 0;
        if (this.#written - this.#noted >= NOTE_BYTES) await this.#noteNow();
      }
    });
  }

  async restart(): Promise<void> {
    await inStore(async () => {
      this.#handle.truncate(0);
      Object.assign(this.#stored, { bytes: 0, blocks: [] });
      this.#filled = 0;
      this.#written = 0;
      await this.#noteNow();
    });
  }

  /** Whatever came so far is safely there. */
  async close(): Promise<void> {
    await inStore(async () => {
      try {
        if (this.#filled > 0) await this.#put();
        await this.#noteNow();
      } finally {
        this.#handle.close();
      }
    });
  }

  async #takeUp(): Promise<void> {
    const { bytes, blocks } = this.#stored;
    for (const [index, hash] of blocks.entries()) {
      const at = index * BLOCK_BYTES;
      const part = this.#block.subarray(0, Math.min(BLOCK_BYTES, bytes - at));
      const got = this.#handle.read(part, { at });
      if (got < part.length || (await hashOf(part)) !== hash) break;
      if (part.length === BLOCK_BYTES) this.#written += BLOCK_BYTES;
      else this.#filled = part.length;
    }
    this.#handle.truncate(this.length);
    this.#stored.bytes = this.length;
    this.#stored.blocks = blocks.slice(0, Math.ceil(this.length / BLOCK_BYTES));
  }

  /** The block that is being filled, as far as it is. */
  async #put(): Promise<void> {
    const part = this.#block.subarray(0, this.#filled);
    writeAll(this.#handle, part, this.#written);
    this.#stored.blocks[this.#written / BLOCK_BYTES] = await hashOf(part);
    this.#stored.bytes = this.length;
  }

  async #noteNow(): Promise<void> {
    this.#handle.flush();
    this.#noted = this.#stored.bytes;
    await this.#note();
  }
}

/** Whether all blocks are as they were written. */
export async function isUndamaged(file: Blob, { bytes, blocks }: Stored): Promise<boolean> {
  if (file.size !== bytes) return false;
  for (const [index, hash] of blocks.entries()) {
    const part = file.slice(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES);
    if ((await hashOf(new Uint8Array(await part.arrayBuffer()))) !== hash) return false;
  }
  return true;
}

async function hashOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return bytesToHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

async function inStore<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof StoreTrouble
      ? error
      : new StoreTrouble(error instanceof Error ? error.message : String(error));
  }
}
