/**
 * A worker thread as `link.ts` knows workers. It keeps the process alive while a call waits for its answer, and no longer: a program
 * need not dispose of a model in order to end.
 */
import { type MessagePort, Worker } from "node:worker_threads";
import type { EngineModule } from "../device.js";
import type { WorkerLike } from "../worker/link.js";
import type { CallName, FromWorker, ToWorker } from "../worker/messages.js";

type Listener = (event: never) => void;

const here = import.meta.url;
/** Not in the one expression that bundlers look for: they would copy this script alone, without what it imports. */
const SCRIPT = new URL("./serve.js", here);

export class ThreadWorker implements WorkerLike {
  readonly #thread: Worker;
  #waiting = 0;

  constructor(module: EngineModule) {
    this.#thread = new Worker(SCRIPT, { workerData: module, name: "webtune" });
    this.#thread.on("message", ({ kind }: FromWorker) => {
      if (this.#waiting > 0 && (kind === "answer" || kind === "error")) this.#count(-1);
    });
  }

  postMessage(message: unknown, transfer: Transferable[] = []): void {
    this.#thread.postMessage(message, transfer as MessagePort[]);
    const { kind, name } = message as ToWorker & { name?: CallName };
    // One that follows has its answer when nobody needs it any more.
    if (kind === "call" && name !== "follow") this.#count(1);
  }

  terminate(): void {
    void this.#thread.terminate();
  }

  addEventListener(type: "message" | "error" | "messageerror", listener: Listener): void {
    const tell = listener as (event: object) => void;
    switch (type) {
      case "message":
        this.#thread.on("message", (data) => tell({ data }));
        break;
      case "messageerror":
        this.#thread.on("messageerror", () => tell({}));
        break;
      case "error":
        this.#thread.on("error", ({ message }) => tell({ message }));
        // Also after `terminate`, of which the link knows.
        this.#thread.on("exit", (code) => tell({ message: `it ended by itself, with code ${code}` }));
        break;
    }
  }

  #count(change: 1 | -1): void {
    this.#waiting += change;
    if (this.#waiting > 0) this.#thread.ref();
    else this.#thread.unref();
  }
}
