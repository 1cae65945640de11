/**
 * One training run on the page's side: its events in order, none lost, and its result.
 */
import { abortedError, toWebtuneError, type WebtuneError } from "./errors.js";
import type { ClassifyEvent } from "./types/engine.js";
import type { Listeners, WorkerLink } from "./worker/link.js";
import { type Control, HEARD } from "./worker/messages.js";

/** The last event of a run. */
export type FinishedEvent<Event> = Extract<Event, { type: "finished" }>;

type Write = (bytes: Uint8Array, ms: number) => unknown;

interface Waiting<Event> {
  resolve(result: IteratorResult<Event, undefined>): void;
  reject(error: WebtuneError): void;
}

/**
 * A run that goes on whether or not its events are read. Read them with `for await`: the loop ends after `finished`.
 * Leaving the loop early stops the run and keeps its best state so far. An abort of the signal does the same and
 * makes the loop throw `WebtuneError` with code `aborted`, once the run has come to rest.
 */
export class TrainingRun<Event extends { type: string } = ClassifyEvent>
  implements AsyncIterableIterator<Event, undefined>
{
  readonly #link: WorkerLink;
  readonly #signal: AbortSignal | undefined;
  readonly #events: Event[] = [];
  readonly #waiting: Waiting<Event>[] = [];
  readonly #ended: Promise<void>;
  #id: number | undefined;
  #arrived = 0;
  #over = false;
  #abandoned = false;
  #aborted = false;
  #failure: WebtuneError | undefined;
  /** How the run ended, if not well; unlike `#failure` it stays. */
  #outcome: WebtuneError | undefined;
  #finished: FinishedEvent<Event> | undefined;

  /**
   * @internal Runs are made by `train` of `TextClassifier` and `LanguageModel`.
   * @param start Sends the call, whose events are of the type `Event`. @param write Takes the run's checkpoints.
   */
  constructor(
    link: WorkerLink,
    start: (listeners: Listeners) => { id: number; answer: Promise<unknown> },
    signal: AbortSignal | undefined,
    write?: Write | undefined,
  ) {
    this.#link = link;
    this.#signal = signal;
    if (signal?.aborted) {
      this.#ended = Promise.resolve();
      this.#end(abortedError("training"));
      return;
    }
    signal?.addEventListener("abort", this.#abort);
    const { id, answer } = start({
      onEvent: (event) => {
        if (event.type === "checkpoint") {
          void this.#save(event, write);
          return;
        }
        this.#take(event as unknown as Event);
        this.#arrived += 1;
        if (this.#arrived % HEARD === 0) this.#steer("heard");
      },
    });
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

  /**
   * The `finished` event, for a caller who reads no others. Rejects where the loop would throw.
   *
   * @throws WebtuneError `aborted` after an abort of the signal, and whatever ended the run before it finished.
   */
  async result(): Promise<FinishedEvent<Event>> {
    await this.#ended;
    if (this.#outcome) throw this.#outcome;
    if (!this.#finished) throw abortedError("training");
    return this.#finished;
  }

  /** Stops pulling steps after the one that runs now; predictions may be made meanwhile. */
  pause(): void {
    this.#steer("pause");
  }

  /** Goes on after `pause`. */
  resume(): void {
    this.#steer("resume");
  }

  /**
   * Finishes early: what was learnt since the last evaluation is evaluated, a `finished` event with reason `stopped` follows, and the
   * best state so far is kept. While the untuned model is still scored, the run ends after the batch that is being computed.
   */
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

  async #save({ bytes, ms }: { bytes: Uint8Array; ms: number }, write: Write | undefined): Promise<void> {
    try {
      await write?.(bytes, ms);
    } catch (error) {
      // The caller's own mistake, or a full disk: no reason to lose the run.
      if (typeof reportError === "function") reportError(error);
      // Node has no such function, and would end a program for an error that nobody catches.
      else console.error(error);
    }
    this.#steer("saved");
  }

  #steer(action: Control): void {
    if (!this.#over && this.#id !== undefined) this.#link.control(this.#id, action);
  }

  #take(event: Event): void {
    if (event.type === "finished") this.#finished = event as FinishedEvent<Event>;
    if (this.#abandoned) return;
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve({ done: false, value: event });
    else this.#events.push(event);
  }

  #end(failure: WebtuneError | undefined): void {
    this.#over = true;
    this.#outcome = failure;
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
