/**
 * Enters: a call that trains. Leaves: the events of one training run, in order, none lost.
 */
import { abortedError, toWebtuneError } from "./errors.js";
import type { Listeners, WorkerLink } from "./link.js";
import type { TrainEvent, WebtuneError } from "./protocol.js";

interface Waiting<Event> {
  resolve(result: IteratorResult<Event, undefined>): void;
  reject(error: WebtuneError): void;
}

/**
 * A run that goes on whether or not its events are read. Read them with `for await`: the loop ends after `finished`.
 * Leaving the loop early stops the run and keeps its best state so far. An abort of the signal does the same and
 * makes the loop throw `WebtuneError` with code `aborted`, once the run has come to rest.
 */
export class TrainingRun<Event = TrainEvent> implements AsyncIterableIterator<Event, undefined> {
  readonly #link: WorkerLink;
  readonly #signal: AbortSignal | undefined;
  readonly #events: Event[] = [];
  readonly #waiting: Waiting<Event>[] = [];
  readonly #ended: Promise<void>;
  #id: number | undefined;
  #over = false;
  #abandoned = false;
  #aborted = false;
  #failure: WebtuneError | undefined;

  /**
   * @internal Runs are made by `FineTuner.train` and `LanguageTuner.trainLanguageModel`.
   * @param start Sends the call, whose events are of the type `Event`.
   */
  constructor(
    link: WorkerLink,
    start: (listeners: Listeners) => { id: number; answer: Promise<unknown> },
    signal: AbortSignal | undefined,
  ) {
    this.#link = link;
    this.#signal = signal;
    if (signal?.aborted) {
      this.#ended = Promise.resolve();
      this.#end(abortedError("training"));
      return;
    }
    signal?.addEventListener("abort", this.#abort);
    const { id, answer } = start({ onEvent: (event) => this.#take(event as Event) });
    this.#id = id;
    this.#ended = answer.then(
      () => this.#end(this.#aborted ? abortedError("training") : undefined),
      (error: unknown) => this.#end(toWebtuneError(error)),
    );
  }

  /** Whether the run has come to rest; events may still wait to be read. */
  get over(): boolean {
    return this.#over;
  }

  /** Stops pulling steps after the one that runs now; predictions may be made meanwhile. */
  pause(): void {
    this.#steer("pause");
  }

  /** Goes on after `pause`. */
  resume(): void {
    this.#steer("resume");
  }

  /** Finishes early: a `finished` event with reason `stopped` follows, and the best state so far is kept. */
  stop(): void {
    this.#steer("stop");
  }

  next(): Promise<IteratorResult<Event, undefined>> {
    const event = this.#events.shift();
    if (event) return Promise.resolve({ done: false, value: event });
    if (!this.#over) return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    const failure = this.#failure;
    // An iterator fails once and is done.
    this.#failure = undefined;
    return failure ? Promise.reject(failure) : Promise.resolve({ done: true, value: undefined });
  }

  /** Called when a `for await` loop is left; waits until the engine has put the best state in place. */
  async return(): Promise<IteratorResult<Event, undefined>> {
    this.#abandon();
    await this.#ended;
    this.#failure = undefined;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  readonly #abort = (): void => {
    this.#aborted = true;
    this.#abandon();
  };

  #abandon(): void {
    this.#abandoned = true;
    this.#events.length = 0;
    this.#steer("stop");
  }

  #steer(action: "pause" | "resume" | "stop"): void {
    if (!this.#over && this.#id !== undefined) this.#link.control(this.#id, action);
  }

  #take(event: Event): void {
    if (this.#abandoned) return;
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve({ done: false, value: event });
    else this.#events.push(event);
  }

  #end(failure: WebtuneError | undefined): void {
    this.#over = true;
    this.#signal?.removeEventListener("abort", this.#abort);
    const [first, ...rest] = this.#waiting.splice(0);
    if (first && failure) first.reject(failure);
    else {
      this.#failure = failure;
      first?.resolve({ done: true, value: undefined });
    }
    for (const waiting of rest) waiting.resolve({ done: true, value: undefined });
  }
}
