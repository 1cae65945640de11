/**
 * One worker for all calls that need no loaded model. It ends when nothing was asked of it for a while, and gives back its memory and its
 * graphics card.
 */
import type { EngineModule } from "../device.js";
import { WebtuneError } from "../errors.js";
import { WorkerLink } from "./link.js";
import type { Answer, Arguments, CallName } from "./messages.js";

/** Milliseconds; a new worker takes well under a second. */
const IDLE = 60_000;

export class SharedWorkerLink {
  readonly #module: EngineModule;
  #link: WorkerLink | undefined;
  #open = 0;
  #ending: ReturnType<typeof setTimeout> | undefined;

  constructor(module: EngineModule) {
    this.#module = module;
  }

  /** A crash ends one call, not the ability to make the next. */
  async call<Name extends CallName>(name: Name, args: Arguments<Name>): Promise<Answer<Name>> {
    clearTimeout(this.#ending);
    if (!this.#link || this.#link.closed) this.#link = WorkerLink.spawn([], this.#module);
    this.#open += 1;
    try {
      return await this.#link.call(name, args).answer;
    } finally {
      this.#open -= 1;
      if (this.#open === 0) this.#endLater();
    }
  }

  #endLater(): void {
    this.#ending = setTimeout(() => {
      this.#link?.close(new WebtuneError("aborted", "nothing was asked of the worker for a while"));
      this.#link = undefined;
    }, IDLE);
    // Node would wait for it before it ends; a browser's timer is a number.
    (this.#ending as unknown as { unref?: () => void }).unref?.();
  }
}
