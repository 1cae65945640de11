/**
 * Enters: a worker with a model in it. Leaves: what all tuners do alike: one run at a time, calls, memory, the end.
 */
import type { Listeners, WorkerLink } from "./link.js";
import type { Answer, Arguments, CallName } from "./messages.js";
import { type DeviceReport, WebtuneError } from "./protocol.js";
import { TrainingRun } from "./run.js";

/** A pretrained model in a worker of its own. `Model` is what was loaded, `Event` what its runs tell. */
export abstract class Tuner<Model, Event> {
  /** Which engine runs, and why that one. */
  readonly device: DeviceReport;
  /** What was loaded. */
  readonly model: Model;
  /** @internal */
  protected readonly link: WorkerLink;
  #run: TrainingRun<Event> | undefined;

  /** @internal */
  protected constructor(link: WorkerLink, { device, model }: { device: DeviceReport; model: Model }) {
    this.link = link;
    this.device = device;
    this.model = model;
  }

  /** Size of the WebAssembly memory in bytes. It never shrinks, so this is its peak. */
  memoryBytes(): Promise<number> {
    return this.call("memoryBytes", []);
  }

  /** Bytes of the GPU buffers that the engine holds, in use or kept for the next step; 0 on the CPU engine. */
  bufferBytes(): Promise<number> {
    return this.call("bufferBytes", []);
  }

  /** Ends the worker and gives its memory back. Calls that wait, and later ones, reject with code `aborted`. */
  dispose(): void {
    this.link.close(new WebtuneError("aborted", "the fine-tuner was disposed of"));
  }

  /**
   * Starts a run, of which there is one at a time.
   *
   * @internal
   */
  protected begin(
    start: (listeners: Listeners) => { id: number; answer: Promise<unknown> },
    signal: AbortSignal | undefined,
  ): TrainingRun<Event> {
    if (this.link.closed) throw this.link.closed;
    if (this.#run && !this.#run.over) {
      throw new WebtuneError("invalidState", "a training run is going on; stop it or wait for its end first");
    }
    this.#run = new TrainingRun<Event>(this.link, start, signal);
    return this.#run;
  }

  /** @internal */
  protected call<Name extends CallName>(name: Name, args: Arguments<Name>): Promise<Answer<Name>> {
    return this.link.call(name, args).answer;
  }
}
