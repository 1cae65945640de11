/**
 * Enters: events as they come. Leaves: the milliseconds that a run will still take, as far as the past tells.
 */
import type { EventOf } from "../sort/state";

/** Steps whose time tells how long the rest will take. */
const RECENT = 20;

type StepTime = Pick<EventOf<"step">, "ms" | "step" | "totalSteps">;

export class TimeLeft {
  #times: number[] = [];
  #from: { at: number; done: number } | undefined;

  /** After a pause the clock says nothing of the work. */
  forgetFeatures(): void {
    this.#from = undefined;
  }

  features({ done, total }: { done: number; total: number }): number | undefined {
    const now = performance.now();
    if (!this.#from || done <= 1 || this.#from.done > done) {
      this.#from = { at: now, done };
      return undefined;
    }
    const each = (now - this.#from.at) / Math.max(1, done - this.#from.done);
    return each * (total - done);
  }

  step({ ms, step, totalSteps }: StepTime, seed?: EventOf<"seed">): number {
    this.#times = [...this.#times, ms].slice(-RECENT);
    const each = this.#times.reduce((a, b) => a + b, 0) / this.#times.length;
    const seedsAfter = seed ? seed.count - seed.index - 1 : 0;
    return each * (totalSteps - step + seedsAfter * totalSteps);
  }
}
