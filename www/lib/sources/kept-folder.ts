/**
 * One model's folder in the browser's private file system, as a load uses it: files that are there are given, checked; others are
 * fetched into it. Whatever goes wrong with the store, the load goes on without it.
 */

import { fileError, messageOf, WebtuneError } from "../errors.js";
import { here } from "../machine.js";
import { bytesToHex, sha256 } from "../vendor/hashes.js";
import { SerialQueue } from "../worker/queue.js";
import type { Sink } from "./download.js";
import { isUnchanged, type Keeper } from "./http-file.js";
import {
  type About,
  BLOCK_BYTES,
  FORMAT,
  folderOf,
  holdFolder,
  type KeptEntry,
  type KeptSource,
  keptAs,
  keptRoot,
  readAbout,
  writeAbout,
} from "./kept-about.js";
import { isUndamaged, KeptSink, StoreTrouble } from "./kept-sink.js";
import { type Address, joined, type Version } from "./network.js";
import type { SettledSource } from "./settle.js";

const BUSY = "Another tab is loading this model, and keeps it; this tab loads it without keeping it.";

/** Says something to the person; what was said once is not said again. */
export type Notify = (notice: string) => void;

type Named = { id: string; name: string; source: KeptSource };
type Known = Version & { size: number };

interface Parts {
  folder: FileSystemDirectoryHandle;
  named: Named;
  about: About | undefined;
  turn: number;
  /** Gives the folder to other tabs; undefined where one of them has it: then nothing is written. */
  free: (() => void) | undefined;
  notify: Notify;
}

export class KeptFolder implements Keeper {
  readonly #parts: Parts;
  readonly #saving = new SerialQueue();
  /** What is known of the files now. */
  readonly #entries = new Map<string, KeptEntry>();
  /** Asked for in this load. */
  readonly #asked = new Set<string>();
  readonly #used = new Set<string>();
  #about: About | undefined;
  #turn: number;
  /** As it was last written. */
  #written: string;
  /** A file has changed. */
  #isStale = false;
  /** A file has come. */
  #isGrown = false;
  #fetched = false;
  #trouble = false;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.#about = parts.about;
    this.#turn = parts.turn;
    this.#written = parts.about ? textOf(parts.about) : "";
    for (const entry of parts.about?.files ?? []) this.#entries.set(entry.path, entry);
  }

  /**
   * Undefined if nothing can be kept, which is reported through `notify`.
   *
   * @param readOnly What is there is used, and nothing is added.
   */
  static async open(
    source: SettledSource,
    notify: Notify,
    { readOnly = false }: { readOnly?: boolean } = {},
  ): Promise<KeptFolder | undefined> {
    const named = keptAs(source);
    if (!named) return undefined;
    let free: (() => void) | undefined;
    try {
      const root = await keptRoot();
      if (!root) {
        notify(here().unkept);
        return undefined;
      }
      const name = folderOf(named.id);
      free = readOnly ? undefined : await holdFolder(name);
      const folder = await root.getDirectoryHandle(name, { create: !readOnly });
      const found = await readAbout(folder);
      // Two ids of one hash are as good as impossible; a folder of another program's making is not.
      const about = found?.about.id === named.id ? found.about : undefined;
      return new KeptFolder({ folder, named, about, turn: found?.turn ?? 0, free, notify });
    } catch (error) {
      free?.();
      notify(`This browser could not open its store, so the model is not kept (${messageOf(error)}).`);
      return undefined;
    }
  }

  /** When all that an earlier load needed was there. */
  get completeAt(): Date | undefined {
    return this.#about?.complete ? new Date(this.#about.at) : undefined;
  }

  /** The hub's commit that all kept files are of. */
  get commit(): string | undefined {
    return this.#about?.commit;
  }

  get name(): string {
    return this.#about?.name ?? this.#parts.named.name;
  }

  files(): readonly KeptEntry[] {
    return [...this.#entries.values()];
  }

  /** Whether it was seen before that this file is there, or that it isn't. */
  knows(path: string): boolean {
    return this.#entries.has(path) || this.#about?.absent.includes(path) === true;
  }

  /** The version of a file that is there whole. */
  whole(path: string): Known | undefined {
    const entry = this.#entries.get(path);
    return entry?.stored?.bytes === entry?.version.size ? entry?.version : undefined;
  }

  /** The server has this file in this version; the bytes of another one are of no use. */
  expect(path: string, version: Known, found: { content?: string | undefined } | Address): void {
    this.#asked.add(path);
    const entry = this.#entries.get(path);
    const content = "content" in found ? found.content : undefined;
    const isSame =
      entry !== undefined &&
      ("url" in found
        ? isUnchanged(entry.version, version, found)
        : content !== undefined && entry.content === content && entry.version.size === version.size);
    if (isSame) {
      entry.version = { ...joined(entry.version, version), size: version.size };
      return;
    }
    if (entry) this.#isStale = true;
    else this.#isGrown = true;
    this.#entries.set(path, { path, version, content });
  }

  /** All files are found. */
  async settle(found: { name: string; commit?: string | undefined; absent: readonly string[] }): Promise<void> {
    const { named } = this.#parts;
    for (const path of this.#entries.keys()) {
      // After a change, files that were not asked for may be of the version before.
      const isGone = found.absent.includes(path) || (this.#isStale && !this.#asked.has(path));
      if (isGone) this.#entries.delete(path);
    }
    const complete = this.#about?.complete === true && !this.#isStale && !this.#isGrown;
    const before = this.#isStale ? [] : (this.#about?.absent ?? []);
    const absent = [...new Set([...before, ...found.absent])].filter((path) => !this.#entries.has(path));
    const at = this.#about?.at ?? Date.now();
    const { name, commit } = found;
    this.#about = { format: FORMAT, ...named, name, commit, at, complete, files: [], absent };
    await this.#attempt(async () => {
      await this.#save();
      await this.#sweep();
    });
  }

  async obtain(path: string, fetch: (sink: Sink) => Promise<Version>): Promise<Blob | undefined> {
    const entry = this.#entries.get(path);
    if (!entry) return undefined;
    this.#used.add(path);
    const there = await this.#kept(entry);
    if (there || !this.#isOpen()) {
      if (!there && !this.#parts.free) this.#parts.notify(BUSY);
      return there;
    }
    try {
      return await this.#fetch(entry, fetch);
    } catch (error) {
      if (error instanceof WebtuneError) throw error;
      await this.#giveUp(error);
      return undefined;
    }
  }

  /** A load has found all that it needed. */
  async finish(): Promise<void> {
    const about = this.#about;
    if (!about || !this.#isOpen()) return;
    const isWhole = [...this.#used].every((path) => this.whole(path) !== undefined);
    if (!isWhole || (about.complete && !this.#fetched)) return;
    about.complete = true;
    await this.#attempt(() => this.#save());
  }

  /** Other tabs may keep files of this model then. */
  async close(): Promise<void> {
    // A model that was not even found leaves nothing.
    if (this.#isOpen() && this.#turn === 0) await this.#attempt(() => this.#remove());
    await this.#saving.run(() => undefined);
    this.#parts.free?.();
    this.#parts.free = undefined;
  }

  #isOpen(): boolean {
    return this.#parts.free !== undefined && !this.#trouble;
  }

  /** The bytes that are there, if they are all there and undamaged. */
  async #kept(entry: KeptEntry): Promise<Blob | undefined> {
    const { path, stored } = entry;
    if (!stored || this.whole(path) === undefined) return undefined;
    try {
      const file = await (await this.#parts.folder.getFileHandle(stored.name)).getFile();
      if (await isUndamaged(file, stored)) return file;
    } catch (error) {
      this.#parts.notify(`The kept copy of ${path} could not be read and is fetched again (${messageOf(error)}).`);
      return undefined;
    }
    this.#parts.notify(`The kept copy of ${path} was damaged and is fetched again.`);
    return undefined;
  }

  async #fetch(entry: KeptEntry, fetch: (sink: Sink) => Promise<Version>): Promise<Blob> {
    const { folder } = this.#parts;
    const { version } = entry;
    const stored = entry.stored ?? { name: `file-${crypto.randomUUID()}`, bytes: 0, blocks: [] };
    await makeRoom(version.size - stored.bytes);
    entry.stored = stored;
    const sink = await KeptSink.open(folder, stored, () => this.#save());
    this.#fetched = true;
    let found: Version;
    try {
      found = await fetch(sink);
    } catch (error) {
      // What came so far stays for the next load. The first error is the one to tell.
      await sink.close().catch((trouble: unknown) => this.#giveUp(trouble));
      throw error;
    }
    entry.version = { ...joined(version, found), size: version.size };
    await sink.close();
    const file = await (await folder.getFileHandle(stored.name)).getFile();
    await this.#compare(entry, file);
    return file;
  }

  /** With the hub's hash, where it gives one. */
  async #compare(entry: KeptEntry, file: Blob): Promise<void> {
    const [kind, expected] = entry.content?.split(":") ?? [];
    if (kind !== "sha256") return;
    const hash = sha256.create();
    for (let at = 0; at < file.size; at += BLOCK_BYTES) {
      hash.update(new Uint8Array(await file.slice(at, at + BLOCK_BYTES).arrayBuffer()));
    }
    const found = bytesToHex(hash.digest());
    if (found === expected) return;
    entry.stored = undefined;
    await this.#attempt(async () => {
      await this.#save();
      await this.#sweep();
    });
    throw fileError(
      "invalidFile",
      entry.path,
      `its SHA-256 is ${found}, but the hub says ${expected}: it was damaged or altered on its way, and was removed; load the model again`,
    );
  }

  #save(): Promise<void> {
    return this.#saving.run(async () => {
      const about = this.#about;
      if (!about || !this.#isOpen()) return;
      about.files = [...this.#entries.values()];
      const text = textOf(about);
      if (text === this.#written) return;
      if (this.#fetched) about.at = Date.now();
      this.#turn += 1;
      await writeAbout(this.#parts.folder, about, this.#turn);
      this.#written = text;
    });
  }

  /** Bytes that no entry names. */
  async #sweep(): Promise<void> {
    if (!this.#isOpen()) return;
    const { folder } = this.#parts;
    const named = new Set([...this.#entries.values()].map(({ stored }) => stored?.name));
    const names: string[] = [];
    for await (const name of folder.keys()) names.push(name);
    for (const name of names) {
      if (name.startsWith("file-") && !named.has(name)) await folder.removeEntry(name);
    }
  }

  /** Of a store that is full or fails: a whole model stays, a part would only take room. */
  async #giveUp(error: unknown): Promise<void> {
    if (this.#trouble) return;
    this.#trouble = true;
    if (this.#parts.about?.complete && !this.#isStale) {
      this.#parts.notify(`What is kept of this model could not be brought up to date: ${messageOf(error)}.`);
      return;
    }
    this.#parts.notify(`This model is not kept on this computer: ${messageOf(error)}.`);
    for (const entry of this.#entries.values()) entry.stored = undefined;
    try {
      await this.#remove();
    } catch (removing) {
      this.#parts.notify(`What was fetched of it could not be removed: ${messageOf(removing)}.`);
    }
  }

  async #remove(): Promise<void> {
    const root = await keptRoot();
    await root?.removeEntry(folderOf(this.#parts.named.id), { recursive: true });
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      await this.#giveUp(error);
    }
  }
}

const textOf = (about: About): string => JSON.stringify({ ...about, at: 0 });

/** To download what can't be kept would only mean to download it twice. */
async function makeRoom(bytes: number): Promise<void> {
  const { quota, usage = 0 } = await navigator.storage.estimate();
  if (quota === undefined || usage + bytes <= quota) return;
  const mb = (size: number): string => `${Math.ceil(Math.max(0, size) / 1e6)} MB`;
  throw new StoreTrouble(`it needs ${mb(bytes)}, and this browser has room for ${mb(quota - usage)}`);
}
