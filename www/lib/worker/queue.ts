/**
 * Jobs that must not overlap, and waiting between them.
 */

/** Runs jobs strictly one after the other; a job that fails doesn't hold up the next. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(job: () => T | Promise<T>): Promise<T> {
    const result = this.#last.then(job);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

/** Waits for `ms` milliseconds, and at least until messages that already arrived were handled. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
