/** One run from its start to its end, on one engine or several: what it was started with, and the last states that it can go on from. */
import { messageOf } from "../ui/format";
import { Losses } from "./losses";
import type { TaskTypes } from "./task";
import {
  forgetRun,
  type KeptState,
  keepRun,
  keepState,
  type Place,
  stateOf,
  type UnfinishedRun,
} from "./unfinished-runs";

/** Seconds between two states; tests shorten them with `?checkpointSeconds=0` in the page's address. */
export function checkpointSeconds(): number {
  const given = new URL(location.href).searchParams.get("checkpointSeconds");
  return given !== null && Number(given) >= 0 ? Number(given) : 20;
}

export class GoingRun<T extends TaskTypes> {
  readonly losses = new Losses();
  usedGpu = false;
  readonly rows: readonly T["row"][];
  /** As it is in storage, or as it is to be stored. */
  #about: UnfinishedRun;
  #isStored: boolean;
  /** For an engine that is lost while the page stays. A blob, which the browser may take out of memory. */
  #last: { state: Blob; place: Place } | undefined;
  /** Storage is asked for one thing at a time, so that the end comes last. */
  #queue: Promise<void> = Promise.resolve();
  readonly #free: Promise<(() => void) | undefined>;
  readonly #onTrouble: (message: string) => void;
  #isTold = false;
  #hasStarted = false;

  /** @param free of the lock that this tab holds. @param isStored it comes from storage. */
  constructor(
    about: UnfinishedRun,
    rows: readonly T["row"][],
    free: Promise<(() => void) | undefined>,
    isStored: boolean,
    onTrouble: (message: string) => void,
  ) {
    this.#about = about;
    this.rows = rows;
    this.#free = free;
    this.#isStored = isStored;
    this.#onTrouble = onTrouble;
  }

  get about(): UnfinishedRun {
    return this.#about;
  }

  get options(): T["options"] {
    return this.#about.options;
  }

  /** Of the last state in memory. */
  get place(): Place | undefined {
    return this.#last?.place;
  }

  get isStored(): boolean {
    return this.#isStored;
  }

  /** On this page, on whatever engine. */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  /** The engine has accepted rows and options. */
  start(): Promise<void> {
    this.#hasStarted = true;
    return this.#store(() => this.#keepRun());
  }

  /** Settles once the state is stored, or is not. */
  keepState(bytes: Uint8Array, place: Place): Promise<void> {
    this.#remember(bytes, place);
    return this.#store(async () => {
      // Without its rows a state is of no use.
      await this.#keepRun();
      const kept = await keepState(this.#about, bytes, place);
      if (kept) {
        this.#about = kept;
        return;
      }
      this.#about = { ...this.#about, states: [] };
      this.#isStored = false;
      await this.#keepRun();
      this.#about = (await keepState(this.#about, bytes, place)) ?? this.#about;
    });
  }

  async lastState(): Promise<Uint8Array | undefined> {
    return this.#last && new Uint8Array(await this.#last.state.arrayBuffer());
  }

  /** Of a run from storage: the state, which is the one to go on from then, before any newer one. */
  async takeState(kept: KeptState): Promise<Uint8Array | undefined> {
    const bytes = await stateOf(this.#about.id, kept);
    if (!bytes) return undefined;
    this.#about = { ...this.#about, states: [kept] };
    this.#remember(bytes, kept);
    return bytes;
  }

  /** It is over: nothing of it stays. */
  async end(): Promise<void> {
    await this.#store(async () => {
      if (this.#isStored) await forgetRun(this.#about.id);
    });
    await this.release();
  }

  /** It stays in storage, for this tab or another one. */
  async release(): Promise<void> {
    await this.#queue;
    (await this.#free)?.();
  }

  #remember(bytes: Uint8Array, place: Place): void {
    this.#last = { state: new Blob([bytes as Uint8Array<ArrayBuffer>]), place };
  }

  async #keepRun(): Promise<void> {
    if (!this.#isStored) await keepRun(this.#about, this.rows);
    this.#isStored = true;
  }

  #store(work: () => Promise<void>): Promise<void> {
    this.#queue = this.#queue.then(work).catch((error: unknown) => {
      // The next state may fit again; the person needs to know once.
      if (!this.#isTold) this.#onTrouble(messageOf(error));
      this.#isTold = true;
    });
    return this.#queue;
  }
}
