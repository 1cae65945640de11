/** Estimates from recent progress how many milliseconds a run will still take. */

/** Steps that the estimate is made from. */
const RECENT = 20;

export class TimeLeft {
  #times: number[] = [];
  #from: { at: number; done: number } | undefined;

  /** A pause would count as work. */
  restartClock(): void {
    this.#from = undefined;
  }

  prepared({ done, total }: { done: number; total: number }): number | undefined {
    const now = performance.now();
    if (!this.#from || done <= 1 || this.#from.done > done) {
      this.#from = { at: now, done };
      return undefined;
    }
    const each = (now - this.#from.at) / Math.max(1, done - this.#from.done);
    return each * (total - done);
  }

  step(ms: number, stepsLeft: number): number {
    this.#times = [...this.#times, ms].slice(-RECENT);
    const mean = this.#times.reduce((a, b) => a + b, 0) / this.#times.length;
    return mean * stepsLeft;
  }
}
