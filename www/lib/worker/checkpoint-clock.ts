/** Decides when a run's state is worth writing: as often as was asked for, and never for more than a fiftieth of the run's time. */

/** What writing may take of a run's time. */
const SHARE = 0.02;

export class CheckpointClock {
  readonly #interval: number | undefined;
  #next: number;
  #pauseWritten = false;

  /** @param seconds How often; undefined for never. @param now Milliseconds, as in every call. */
  constructor(seconds: number | undefined, now: number) {
    this.#interval = seconds === undefined ? undefined : seconds * 1000;
    this.#next = now + (this.#interval ?? 0);
  }

  /** A run that is paused writes once: a paused tab is what a browser ends first. */
  isDue(now: number, paused: boolean): boolean {
    if (this.#interval === undefined) return false;
    const first = paused && !this.#pauseWritten;
    this.#pauseWritten = paused;
    return first || now >= this.#next;
  }

  /** A checkpoint was written between these times. */
  written(begun: number, ended: number): void {
    this.#next = ended + Math.max(this.#interval ?? 0, (ended - begun) / SHARE);
  }
}
