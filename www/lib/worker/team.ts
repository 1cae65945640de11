/**
 * Engines in several workers that make the same calls. The first one's worker sends each call to the others, hands them the model's bytes as it
 * reads them itself, and carries what they compute. Plain messages do: no shared memory, so no special headers.
 */
import { messageOf } from "../errors.js";
import type { SourceFile } from "../sources/http-file.js";
import type { LeadWire, MemberWire } from "./engine.js";

/** The part of a `MessagePort` that is used here. */
export interface PortLike {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown, transfer: Transferable[]): void;
}

/** What a member loads: files whose bytes follow. `Model` says how. */
interface ToLoad<Model> {
  model: Model;
  files: { path: string; size: number }[];
  /** Name of a lock that it holds as long as it lives. */
  lock: string;
}

/** The part of `navigator.locks` that is used here. A page that is not secure has none; a worker that dies without an error is missed there. */
export type LocksLike = Pick<LockManager, "request">;

const ownLocks = (): LocksLike | undefined => (globalThis.navigator as Navigator | undefined)?.locks;

/** Takes a lock and keeps it; settles once it is held. A browser may refuse locks, which is as if there were none. */
function hold(locks: LocksLike | undefined, name: string): Promise<void> {
  if (!locks) return Promise.resolve();
  return new Promise((held) => {
    const kept = locks.request(name, () => {
      held();
      return new Promise(() => undefined);
    });
    kept.catch(() => held());
  });
}

type ToMember<Model, Call> =
  | { kind: "load"; load: ToLoad<Model> }
  | { kind: "bytes"; range: string; bytes: Uint8Array }
  | { kind: "place"; rank: number; size: number }
  | { kind: "call"; number: number; call: Call }
  /** The first engine has made the call; nothing more comes for it. */
  | { kind: "over"; number: number }
  | { kind: "told"; bytes: Uint8Array }
  /** It is not needed any more. */
  | { kind: "leave" };

type FromMember =
  | { kind: "loaded"; failure: string | undefined }
  | { kind: "read" }
  | { kind: "sent"; number: number; bytes: Uint8Array }
  | { kind: "done"; number: number };

/** Reads that a member may be behind, each of at most some MiB. */
const AHEAD = 4;

const rangeOf = (path: string, offset: number, length: number): string => `${offset}+${length} ${path}`;

/** Promises that wait until something holds; `check` after each change. */
class Waiting {
  readonly #waiting: { holds: () => boolean; wake: () => void }[] = [];

  until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((wake) => this.#waiting.push({ holds, wake }));
  }

  check(): void {
    const all = this.#waiting.splice(0);
    for (const one of all) {
      if (one.holds()) one.wake();
      else this.#waiting.push(one);
    }
  }
}

/** Another engine, as the first one's worker knows it. */
class Member<Model, Call> {
  readonly #port: PortLike;
  readonly #waiting = new Waiting();
  readonly #sent: { number: number; bytes: Uint8Array }[] = [];
  #unread = 0;
  #done = 0;
  readonly lock = `webtune ${Math.random()}`;
  readonly #locks: LocksLike | undefined;
  loaded = false;
  /** Why it is not one of them any more. */
  lost: string | undefined;

  constructor(port: PortLike, locks: LocksLike | undefined) {
    this.#port = port;
    this.#locks = locks;
    port.onmessage = (event: MessageEvent<FromMember>) => this.#receive(event.data);
  }

  #receive(message: FromMember): void {
    if (message.kind === "loaded") {
      this.loaded = true;
      if (message.failure !== undefined) this.lose(message.failure);
    } else if (message.kind === "read") this.#unread -= 1;
    else if (message.kind === "sent") this.#sent.push(message);
    else this.#done = message.number;
    this.#waiting.check();
  }

  post(message: ToMember<Model, Call>, transfer: Transferable[] = []): void {
    if (this.lost === undefined) this.#port.postMessage(message, transfer);
  }

  lose(why: string): void {
    if (this.lost !== undefined) return;
    this.post({ kind: "leave" });
    this.lost = why;
    this.#waiting.check();
  }

  /** From then on its end is noticed: its lock is free. */
  async whenLoaded(): Promise<void> {
    await this.#waiting.until(() => this.loaded || this.lost !== undefined);
    this.#locks
      ?.request(this.lock, () => this.lose("a worker has ended"))
      // As `hold` has it.
      .catch(() => undefined);
  }

  /** Gives bytes of a file, once it is not far behind. */
  async give(range: string, bytes: Uint8Array): Promise<void> {
    await this.#waiting.until(() => this.#unread < AHEAD || this.lost !== undefined);
    this.#unread += 1;
    const copy = bytes.slice();
    this.post({ kind: "bytes", range, bytes: copy }, [copy.buffer]);
  }

  /** What it sends next in call `number`; undefined if it is lost, or has ended the call in another way than the first engine. */
  async next(number: number): Promise<Uint8Array | undefined> {
    const here = (): boolean => {
      // What the first engine did not wait for in an earlier call that failed.
      while (this.#sent[0] && this.#sent[0].number < number) this.#sent.shift();
      return this.#sent.length > 0;
    };
    await this.#waiting.until(() => here() || this.lost !== undefined || this.#done >= number);
    if (here()) return this.#sent.shift()?.bytes;
    this.lose("it went another way than the first");
    return undefined;
  }
}

/** The first engine's side. `Model` says how a member loads, `Call` what it does. */
export class TeamLead<Model, Call> implements LeadWire {
  readonly #all: Member<Model, Call>[];
  /** Those that have a rank, in its order. */
  #members: Member<Model, Call>[];
  #number = 0;

  constructor(ports: readonly PortLike[], locks = ownLocks()) {
    this.#all = ports.map((port) => new Member(port, locks));
    this.#members = this.#all;
  }

  /** Files that are handed on to the first `others` members as they are read; the rest is let go. */
  load(model: Model, files: readonly SourceFile[], others: number): SourceFile[] {
    for (const member of this.#members.slice(others)) member.lose("there is no memory for it");
    this.#members = this.#members.slice(0, others);
    const named = files.map(({ path, size }) => ({ path, size }));
    for (const member of this.#members) member.post({ kind: "load", load: { model, files: named, lock: member.lock } });
    return files.map((file) => ({
      path: file.path,
      size: file.size,
      read: async (offset: number, length: number) => {
        const bytes = await file.read(offset, length);
        const range = rangeOf(file.path, offset, length);
        await Promise.all(this.#members.map((member) => member.give(range, bytes)));
        return bytes;
      },
    }));
  }

  /** Waits until all have loaded. Gives why some are lost. */
  async ready(): Promise<string[]> {
    await Promise.all(this.#members.map((member) => member.whenLoaded()));
    return this.#members.flatMap(({ lost }) => lost ?? []);
  }

  /** Numbers those that are left; gives how many engines there are, this one included. */
  place(): number {
    this.#members = this.#members.filter(({ lost }) => lost === undefined);
    const size = this.#members.length + 1;
    for (const [index, member] of this.#members.entries()) member.post({ kind: "place", rank: index + 1, size });
    return size;
  }

  /** Member `index` of those given has died. */
  lose(index: number, why: string): void {
    this.#all[index]?.lose(why);
  }

  /** Makes a call with the others; `own` is what this engine does. */
  async together<T>(call: Call, own: () => T | Promise<T>): Promise<T> {
    this.#number += 1;
    const number = this.#number;
    for (const member of this.#members) member.post({ kind: "call", number, call });
    try {
      return await own();
    } finally {
      for (const member of this.#members) member.post({ kind: "over", number });
    }
  }

  gather(): Promise<(Uint8Array | undefined)[]> {
    return Promise.all(this.#members.map((member) => member.next(this.#number)));
  }

  tell(bytes: Uint8Array): void {
    for (const member of this.#members) member.post({ kind: "told", bytes });
  }
}

/** What another engine does. */
export interface MemberParts<Model, Call> {
  load(model: Model, files: SourceFile[]): Promise<void>;
  place(rank: number, size: number): void;
  perform(call: Call): unknown;
}

/** Another engine's side. */
export class TeamMember<Model, Call> implements MemberWire {
  readonly #port: PortLike;
  readonly #parts: MemberParts<Model, Call>;
  readonly #locks: LocksLike | undefined;
  readonly #arrived = new Map<string, Uint8Array[]>();
  readonly #waiting = new Waiting();
  /** Calls come one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #number = 0;
  #over = 0;
  #answer: { resolve(bytes: Uint8Array): void; reject(error: Error): void } | undefined;
  #leave: () => void = () => undefined;
  /** Settles once the first engine does without this one. */
  readonly left = new Promise<void>((resolve) => {
    this.#leave = resolve;
  });

  constructor(port: PortLike, parts: MemberParts<Model, Call>, locks = ownLocks()) {
    this.#port = port;
    this.#parts = parts;
    this.#locks = locks;
    port.onmessage = (event: MessageEvent<ToMember<Model, Call>>) => this.#receive(event.data);
  }

  #receive(message: ToMember<Model, Call>): void {
    switch (message.kind) {
      case "load":
        void this.#load(message.load);
        break;
      case "bytes":
        this.#arrived.set(message.range, [...(this.#arrived.get(message.range) ?? []), message.bytes]);
        this.#waiting.check();
        break;
      case "place":
        this.#next(() => this.#parts.place(message.rank, message.size));
        break;
      case "call":
        this.#next(() => this.#perform(message.number, message.call));
        break;
      case "told":
        this.#answer?.resolve(message.bytes);
        break;
      case "leave":
        this.#leave();
        break;
      case "over":
        this.#over = message.number;
        if (message.number >= this.#number) this.#answer?.reject(new Error("the first engine has ended the call"));
        break;
    }
  }

  #post(message: FromMember, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }

  #next(work: () => unknown): void {
    this.#last = this.#last.then(work);
  }

  async #load({ model, files, lock }: ToLoad<Model>): Promise<void> {
    await hold(this.#locks, lock);
    const handed = files.map(({ path, size }) => ({
      path,
      size,
      read: async (offset: number, length: number) => {
        const range = rangeOf(path, offset, length);
        await this.#waiting.until(() => (this.#arrived.get(range)?.length ?? 0) > 0);
        this.#post({ kind: "read" });
        const [bytes = new Uint8Array(0), ...rest] = this.#arrived.get(range) ?? [];
        this.#arrived.set(range, rest);
        return bytes as Uint8Array<ArrayBuffer>;
      },
    }));
    try {
      await this.#parts.load(model, handed);
      this.#post({ kind: "loaded", failure: undefined });
    } catch (error) {
      this.#post({ kind: "loaded", failure: messageOf(error) });
    }
  }

  async #perform(number: number, call: Call): Promise<void> {
    this.#number = number;
    try {
      await this.#parts.perform(call);
    } catch {
      // The first engine makes the same call and reports the same error; one that is this engine's own leaves it without an answer, and it
      // computes what is missing.
    }
    this.#post({ kind: "done", number });
  }

  async swap(bytes: Uint8Array): Promise<Uint8Array> {
    if (this.#over >= this.#number) throw new Error("the first engine has ended the call");
    const told = new Promise<Uint8Array>((resolve, reject) => {
      this.#answer = { resolve, reject };
    });
    this.#post({ kind: "sent", number: this.#number, bytes }, [bytes.buffer as ArrayBuffer]);
    try {
      return await told;
    } finally {
      this.#answer = undefined;
    }
  }
}
