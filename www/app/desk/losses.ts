/** Decides from how a run's engines were lost whether it goes on, and on which device. */

/** Errors after which an engine is of no use, and another one may do. */
const LOST = new Set(["crashed", "deviceFailed", "outOfMemory"]);
/** A run that ends its engines this often has a reason for it. */
const MOST = 3;
/** From this one on, the graphics card is suspected. */
const SUSPICIOUS = 2;

export interface Loss {
  code: string | undefined;
  /** Data and options were accepted: what fails before that fails again. */
  hasStarted: boolean;
  usedGpu: boolean;
  /** There is a state to go on from. */
  hasState: boolean;
}

export class Losses {
  #count = 0;
  #begunAnew = false;

  /** Undefined: the run is given up. */
  next({ code, hasStarted, usedGpu, hasState }: Loss): { onCpu: boolean } | undefined {
    if (code === undefined || !LOST.has(code) || !hasStarted) return undefined;
    this.#count += 1;
    if (this.#count >= MOST || (!hasState && this.#begunAnew)) return undefined;
    this.#begunAnew ||= !hasState;
    return { onCpu: usedGpu && this.#count >= SUSPICIOUS };
  }
}
