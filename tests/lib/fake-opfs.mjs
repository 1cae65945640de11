/**
 * A private file system and locks, in memory, as far as the package uses them: what a browser gives to a worker.
 */
import { Blob } from "node:buffer";

const missing = (/** @type {string} */ name) => new DOMException(`${name} is not there`, "NotFoundError");
const locked = (/** @type {string} */ name) => new DOMException(`${name} is open`, "NoModificationAllowedError");

/** Bytes of one file; a blob of it can't be read any more once it has changed, as in a browser. */
class FakeFile {
  bytes = new Uint8Array(0);
  version = 0;
  open = false;

  /** @param {Uint8Array} bytes */
  set(bytes) {
    this.bytes = bytes;
    this.version += 1;
  }

  snapshot() {
    const { version } = this;
    const whole = new Blob([this.bytes]);
    const wrap = (/** @type {Blob} */ blob) => ({
      size: blob.size,
      slice: (/** @type {number[]} */ ...range) => wrap(blob.slice(...range)),
      text: () => this.#still(version, () => blob.text()),
      arrayBuffer: () => this.#still(version, () => blob.arrayBuffer()),
    });
    return wrap(whole);
  }

  /** @template T @param {number} version @param {() => Promise<T>} read */
  async #still(version, read) {
    if (version !== this.version) throw new DOMException("the file has changed", "NotReadableError");
    return read();
  }
}

class FakeFolder {
  kind = "directory";
  /** @type {Map<string, FakeFolder | FakeFile>} */
  entries = new Map();

  /** @param {string} name @param {{ room: number }} disk */
  constructor(name, disk) {
    this.name = name;
    this.disk = disk;
  }

  async getDirectoryHandle(name, { create = false } = {}) {
    if (!this.entries.has(name)) {
      if (!create) throw missing(name);
      this.entries.set(name, new FakeFolder(name, this.disk));
    }
    return this.entries.get(name);
  }

  async getFileHandle(name, { create = false } = {}) {
    if (!this.entries.has(name)) {
      if (!create) throw missing(name);
      this.entries.set(name, new FakeFile());
    }
    const file = this.entries.get(name);
    const { disk } = this;
    return {
      kind: "file",
      name,
      getFile: async () => {
        if (this.entries.get(name) !== file) throw missing(name);
        return file.snapshot();
      },
      createSyncAccessHandle: async () => {
        if (file.open) throw locked(name);
        file.open = true;
        return syncHandle(file, disk);
      },
    };
  }

  async removeEntry(name, { recursive = false } = {}) {
    const entry = this.entries.get(name);
    if (!entry) throw missing(name);
    const files = entry instanceof FakeFolder ? [...entry.entries.values()] : [entry];
    if (entry instanceof FakeFolder && files.length > 0 && !recursive) throw locked(name);
    if (files.some(({ open }) => open)) throw locked(name);
    for (const file of files) {
      this.disk.room += file.bytes.length;
      file.set(new Uint8Array(0));
    }
    this.entries.delete(name);
  }

  async *keys() {
    yield* [...this.entries.keys()];
  }

  async *values() {
    for (const [name, entry] of [...this.entries]) yield entry instanceof FakeFolder ? entry : { kind: "file", name };
  }
}

/** @param {FakeFile} file @param {{ room: number }} disk */
function syncHandle(file, disk) {
  const resize = (/** @type {number} */ size) => {
    disk.room += file.bytes.length - size;
    const bytes = new Uint8Array(size);
    bytes.set(file.bytes.subarray(0, size));
    file.set(bytes);
  };
  return {
    read: (/** @type {Uint8Array} */ into, { at }) => {
      const part = file.bytes.subarray(at, at + into.length);
      into.set(part);
      return part.length;
    },
    write: (/** @type {Uint8Array} */ bytes, { at }) => {
      const end = Math.max(file.bytes.length, at + bytes.length);
      if (end - file.bytes.length > disk.room) throw new DOMException("the disk is full", "QuotaExceededError");
      if (end > file.bytes.length) resize(end);
      file.bytes.set(bytes, at);
      file.version += 1;
      return bytes.length;
    },
    truncate: resize,
    flush: () => undefined,
    close: () => {
      file.open = false;
    },
  };
}

/** Puts storage and locks into the global scope. `killTab` lets go of everything that is held, as the end of a tab does. */
export function installStorage({ room = 1e12 } = {}) {
  const disk = { room };
  const root = new FakeFolder("", disk);
  /** @type {Set<string>} */
  const held = new Set();
  const locks = {
    async request(name, _options, work) {
      if (held.has(name)) return work(null);
      held.add(name);
      try {
        return await work({ name });
      } finally {
        held.delete(name);
      }
    },
  };
  const storage = {
    getDirectory: async () => root,
    estimate: async () => ({ quota: 1e12, usage: 1e12 - Math.max(0, disk.told ?? disk.room) }),
  };
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { storage, locks } });
  const files = (folder = root) =>
    [...folder.entries].flatMap(([name, entry]) =>
      entry instanceof FakeFolder ? files(entry) : [{ name, file: entry, folder }],
    );
  return {
    root,
    disk,
    held,
    /** Every file, whatever its folder. */
    files: () => files(),
    killTab() {
      held.clear();
      for (const { file } of files()) file.open = false;
    },
    uninstall: () => Reflect.deleteProperty(globalThis, "navigator"),
  };
}
