/**
 * The page's side of a worker: calls become messages, answers settle promises. Every promise settles, whatever happens to the worker.
 */
import type { EngineModule } from "../device.js";
import { abortedError, fromWire, toWebtuneError, WebtuneError } from "../errors.js";
import type {
  Answer,
  Arguments,
  CallEvent,
  CallName,
  Control,
  FromWorker,
  LoadProgress,
  ToWorker,
} from "./messages.js";

export interface Listeners {
  onProgress?: ((progress: LoadProgress) => void) | undefined;
  onEvent?: ((event: CallEvent) => void) | undefined;
}

interface Pending extends Listeners {
  resolve(value: unknown): void;
  reject(error: WebtuneError): void;
}

/** What is needed of a `Worker`. */
export interface WorkerLike {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  terminate(): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
  addEventListener(type: "error", listener: (event: ErrorEvent) => void): void;
  addEventListener(type: "messageerror", listener: () => void): void;
}

/**
 * Starts a worker with one of the package's worker scripts.
 *
 * @param reach Where it will read from besides the page's own server, as `connect-src` of a Content Security Policy writes it.
 * @param module `webgpu` where the engine may run on WebGPU.
 */
export type StartWorker = (reach: readonly string[], module: EngineModule) => WorkerLike;

// The expressions are those that bundlers look for; webpack puts workers of one name into one file.
let startWorker: StartWorker = (_, module) =>
  module === "cpu"
    ? new Worker(new URL("./cpu-worker.js", import.meta.url), { type: "module", name: "webtune-cpu" })
    : new Worker(new URL("./webgpu-worker.js", import.meta.url), { type: "module", name: "webtune-webgpu" });

/**
 * Replaces how workers are started, for a page whose policy is to hold in them: the browser gives a worker from a web address the
 * policy of that file's own response headers, not the page's.
 */
export function startWorkersWith(start: StartWorker): void {
  startWorker = start;
}

/** One worker and the calls that wait for it. */
export class WorkerLink {
  readonly #worker: WorkerLike;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #closed: WebtuneError | undefined;
  #end: (error: WebtuneError) => void = () => undefined;
  /** Why the worker has ended, once it has. */
  readonly ended = new Promise<WebtuneError>((resolve) => {
    this.#end = resolve;
  });

  constructor(worker: WorkerLike) {
    this.#worker = worker;
    worker.addEventListener("message", (event: MessageEvent<FromWorker>) => this.#receive(event.data));
    worker.addEventListener("error", (event: ErrorEvent) => {
      const reason = event.message || "its script, or the engine's, could not be loaded";
      this.close(new WebtuneError("crashed", `the worker failed: ${reason}`));
    });
    worker.addEventListener("messageerror", () => {
      this.close(new WebtuneError("crashed", "the worker sent a message that can't be read"));
    });
  }

  /** A worker of this package; as `StartWorker` takes them. */
  static spawn(reach: readonly string[], module: EngineModule): WorkerLink {
    return new WorkerLink(startWorker(reach, module));
  }

  /** Why the worker is gone, if it is. */
  get closed(): WebtuneError | undefined {
    return this.#closed;
  }

  /** Sends a call; the answer's `id` steers it through `control`. `ports`: those among its arguments. */
  call<Name extends CallName>(
    name: Name,
    args: Arguments<Name>,
    listeners: Listeners = {},
    ports: MessagePort[] = [],
  ): { id: number; answer: Promise<Answer<Name>> } {
    const id = this.#nextId;
    this.#nextId += 1;
    const answer = new Promise<unknown>((resolve, reject) => {
      if (this.#closed) {
        reject(this.#closed);
        return;
      }
      this.#pending.set(id, { ...listeners, resolve, reject });
      try {
        this.#worker.postMessage({ kind: "call", id, name, args } as ToWorker, ports);
      } catch (error) {
        // What can't be cloned is the caller's mistake.
        this.#pending.delete(id);
        reject(
          new WebtuneError("invalidOption", `${name}: its arguments can't be sent (${toWebtuneError(error).message})`),
        );
      }
    });
    return { id, answer: answer as Promise<Answer<Name>> };
  }

  control(id: number, action: Control): void {
    if (!this.#closed) this.#worker.postMessage({ kind: "control", id, action } satisfies ToWorker);
  }

  /** Tells it that worker `member` of those that compute with it has ended. */
  lose(member: number, why: string): void {
    if (!this.#closed) this.#worker.postMessage({ kind: "lost", member, why } satisfies ToWorker);
  }

  /** Ends the worker; whatever waits fails with `error`, and so does every later call. */
  close(error: WebtuneError): void {
    if (this.#closed) return;
    this.#closed = error;
    this.#worker.terminate();
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
    this.#end(error);
  }

  #receive(message: FromWorker): void {
    if (message.kind === "fatal") {
      this.close(fromWire(message.error));
      return;
    }
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    switch (message.kind) {
      case "progress":
        pending.onProgress?.(message.progress);
        break;
      case "event":
        pending.onEvent?.(message.event);
        break;
      case "answer":
        this.#pending.delete(message.id);
        pending.resolve(message.value);
        break;
      case "error":
        this.#pending.delete(message.id);
        pending.reject(fromWire(message.error));
        break;
    }
  }
}

/** One call on a fresh worker; a failure or an abort ends that worker. */
export async function callOnce<Name extends CallName>(
  link: WorkerLink,
  name: Name,
  args: Arguments<Name>,
  signal: AbortSignal | undefined,
  listeners: Listeners,
  ports: MessagePort[] = [],
): Promise<Answer<Name>> {
  const abort = (): void => link.close(abortedError(name === "load" ? "loading" : name));
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  try {
    return await link.call(name, args, listeners, ports).answer;
  } catch (error) {
    const failure = toWebtuneError(error);
    link.close(failure);
    throw failure;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
