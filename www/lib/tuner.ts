/**
 * What classifiers and language models have in common: loading, one run at a time, export and import, memory, the end.
 */
import { type DeviceChoice, type DeviceReport, engineModule } from "./device.js";
import { optionError, WebtuneError } from "./errors.js";
import { here } from "./machine.js";
import { TrainingRun } from "./run.js";
import type { BaseName } from "./sources/base-name.js";
import { reachOf } from "./sources/reach.js";
import { type ModelSource, pageAddress, settleSource } from "./sources/settle.js";
import type { ExportFormat, WeightStorage } from "./types/engine.js";
import { type WorkerChoice, workersFor } from "./worker/cores.js";
import type { ExportedFile, ExportPiece } from "./worker/engine.js";
import { callOnce, WorkerLink } from "./worker/link.js";
import type { Answer, Arguments, CallName, LoadProgress, TaskName, Tasks } from "./worker/messages.js";

export interface LoadOptions {
  /**
   * How frozen weights are kept; default "f32". Of an encoder only the linear layers are stored that way, its embeddings stay
   * float32. "f16" on a graphics card needs an adapter with `shader-f16`.
   */
  storage?: WeightStorage | undefined;
  /** Default "auto". */
  device?: DeviceChoice | undefined;
  /**
   * How many workers compute on the CPU engine, each with a copy of the model; default "auto": one fewer than the machine has cores, at most
   * 8, and no more than half of its memory holds. The result does not depend on it.
   */
  workers?: WorkerChoice | undefined;
  /** Most bytes that the engine plans for; default: what `memoryLimit()` gives. */
  memoryLimitBytes?: number | undefined;
  /**
   * Whether the files of an address or a repository are kept in the browser's private file system, for later loads without a network;
   * default true. Where the browser has no room, or no such storage, loading goes on without keeping, and `onProgress` gets a notice. See
   * `keptModels`. Node keeps nothing; default false there.
   */
  keep?: boolean | undefined;
  /** An abort ends loading and frees everything; the promise rejects with code `aborted`. */
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** Keeps a run's state outside the worker, so that `resume` can go on with it. */
export interface CheckpointControls {
  /**
   * How often a state is written; default 20. It is written less often where writing would take more than 2% of the run's time, and
   * once at every pause.
   */
  everySeconds?: number | undefined;
  /**
   * Takes a state, which holds numbers and settings and none of the texts. The next one comes once this has settled. Keep the last
   * two: a tab may be killed while one is written. What it throws is reported like any error of a callback, and the run goes on.
   *
   * @param ms What the engine took to make it.
   */
  write(bytes: Uint8Array, ms: number): unknown;
}

/** What `train` takes besides the engine's own options. */
export interface TrainControls {
  /** Default: no state is written. */
  checkpoint?: CheckpointControls | undefined;
  /** An abort ends the run with the best state so far kept. */
  signal?: AbortSignal | undefined;
  /** What errors call the rows; default "examples" or "texts". */
  file?: string | undefined;
}

/** How files are exported. */
export interface ExportOptions {
  /** Default the method's own, which `import` takes back. */
  format?: ExportFormat | undefined;
  /**
   * What the files call the base model, PEFT's `base_model_name_or_path`: a repository's id, or a path where the files will be used.
   * Default: `base.name`.
   */
  baseName?: string | undefined;
}

/** @internal What a load brings. */
export interface Loaded<Info> {
  link: WorkerLink;
  device: DeviceReport;
  model: Info;
  base: BaseName;
}

/**
 * A pretrained model in a worker of its own.
 *
 * Every method may reject with a `WebtuneError`; besides the codes named there, with what `closed` gives.
 */
export abstract class Tuner<Task extends TaskName> {
  /** Which engine runs, and why that one. */
  readonly device: DeviceReport;
  /** What was loaded. */
  readonly model: Tasks[Task]["info"];
  /** How exports name the base model, and whether others will find it by that name. */
  readonly base: BaseName;
  /** @internal */
  protected readonly link: WorkerLink;
  readonly #rowsName: string;
  #run: TrainingRun<Tasks[Task]["event"]> | undefined;

  /** @internal */
  protected constructor({ link, device, model, base }: Loaded<Tasks[Task]["info"]>, rowsName: string) {
    this.link = link;
    this.device = device;
    this.model = model;
    this.base = base;
    this.#rowsName = rowsName;
  }

  /**
   * Why the engine is gone, if it is: `crashed`, `deviceFailed` (its graphics card was lost), `outOfMemory`, or `aborted` after
   * `dispose`. Every call then rejects with this error; load anew.
   */
  get closed(): WebtuneError | undefined {
    return this.link.closed;
  }

  /**
   * Starts a run at once; read its events with `for await`. Errors in rows or options (`invalidData`, `invalidOption`,
   * `outOfMemory`) are thrown by the loop.
   *
   * @throws WebtuneError `invalidState` while another run goes on.
   */
  train(
    rows: readonly Tasks[Task]["row"][],
    options: Tasks[Task]["options"] & TrainControls = {},
  ): TrainingRun<Tasks[Task]["event"]> {
    return this.#begin(rows, options, undefined);
  }

  /**
   * Goes on with a run that was cut off: what came before training is computed again, the events since then come again from the
   * checkpoint (a language model's samples left out), and the rest follows. On the CPU engine the result is the one of an
   * uninterrupted run, to the last bit.
   *
   * @param checkpoint What `write` was given. @param rows The same rows in the same order.
   * @param options The run's own options come from the checkpoint; only those that hold texts (`labelDescriptions`, `samplePrompts`)
   * are needed again.
   * @throws WebtuneError `invalidFile` (thrown by the loop) for a checkpoint that is damaged, or of another model, other rows, another
   * task or another version of webtune; `invalidOption` for a text that is missing or an option that differs; `invalidState` while
   * another run goes on.
   */
  resume(
    checkpoint: Uint8Array,
    rows: readonly Tasks[Task]["row"][],
    options: Tasks[Task]["options"] & TrainControls = {},
  ): TrainingRun<Tasks[Task]["event"]> {
    return this.#begin(rows, options, checkpoint);
  }

  #begin(
    rows: readonly Tasks[Task]["row"][],
    { signal, file = this.#rowsName, checkpoint, ...settings }: Tasks[Task]["options"] & TrainControls,
    from: Uint8Array | undefined,
  ): TrainingRun<Tasks[Task]["event"]> {
    if (this.link.closed) throw this.link.closed;
    this.#checkIdle();
    const checkpointSeconds = checkpoint && (checkpoint.everySeconds ?? 20);
    if (checkpointSeconds !== undefined && !(checkpointSeconds >= 0)) {
      throw optionError("checkpoint.everySeconds", `expected 0 or more, got ${checkpointSeconds}`);
    }
    const request = { file, rows: [...rows], options: settings, from, checkpointSeconds };
    this.#run = new TrainingRun(
      this.link,
      (listeners) => this.link.call("train", [request], listeners),
      signal,
      checkpoint?.write.bind(checkpoint),
    );
    return this.#run;
  }

  #checkIdle(): void {
    if (this.#run && !this.#run.over) {
      throw new WebtuneError("invalidState", "a training run is going on; stop it or wait for its end first");
    }
  }

  /**
   * What the present result can be exported as, the method's own format first.
   *
   * @throws WebtuneError `invalidState` before the first run or import.
   */
  formats(): Promise<ExportFormat[]> {
    return this.call("formats", []);
  }

  /**
   * What was tuned, as files that others load.
   *
   * @throws WebtuneError `invalidState` before the first run or import, `invalidOption` for a format that the method or the storage
   * cannot have, and for an empty name.
   */
  async export(options: ExportOptions = {}): Promise<ExportedFile[]> {
    const files: ExportedFile[] = [];
    let bytes = new Uint8Array(0);
    let filled = 0;
    let path = "";
    for await (const piece of this.exportPieces(options)) {
      if (piece instanceof Uint8Array) {
        bytes.set(piece, filled);
        filled += piece.length;
      } else if ("open" in piece) {
        path = piece.open.path;
        bytes = new Uint8Array(piece.open.size);
        filled = 0;
      } else files.push({ path, bytes });
    }
    return files;
  }

  /**
   * The same piece by piece: a file is opened, its bytes follow, it is closed. The next piece is computed once it is asked for, so
   * that no more than one is in memory. Leaving the loop ends the export.
   *
   * @throws WebtuneError as `export`.
   */
  async *exportPieces(options: ExportOptions = {}): AsyncGenerator<ExportPiece, void, undefined> {
    const { format, baseName } = options;
    if (baseName?.trim() === "") throw optionError("baseName", "expected a name, got none");
    let arrived: (piece: ExportPiece) => void = () => undefined;
    const next = (): Promise<ExportPiece> =>
      new Promise((resolve) => {
        arrived = resolve;
      });
    let piece = next();
    const { id, answer } = this.link.call("export", [format, baseName?.trim()], {
      onEvent: (event) => event.type === "piece" && arrived(event.piece),
    });
    // Heard below if the loop is in it, and of no interest to a caller who has left the loop.
    answer.catch(() => undefined);
    let over = false;
    try {
      for (;;) {
        // The call answers after its last piece, or fails.
        const found = await Promise.race([piece, answer]);
        over = found === undefined;
        if (found === undefined) return;
        yield found;
        piece = next();
        this.link.control(id, "resume");
      }
    } finally {
      if (!over) this.link.control(id, "stop");
      await answer.catch(() => undefined);
    }
  }

  /**
   * Puts an exported folder of any method in place of what was trained here.
   *
   * @throws WebtuneError `missingFile`, `invalidFile`, `missingTensor`, `wrongShape` for files that don't fit the model; `invalidState`
   * while a run goes on, whose result would take their place.
   */
  async import(files: readonly ExportedFile[]): Promise<void> {
    this.#checkIdle();
    await this.call("import", [[...files]]);
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
    this.link.close(new WebtuneError("aborted", "the model was disposed of"));
  }

  /** @internal */
  protected call<Name extends CallName>(name: Name, args: Arguments<Name>): Promise<Answer<Name>> {
    return this.link.call(name, args).answer;
  }
}

/**
 * Starts an engine in a worker of its own and loads a model into it.
 *
 * @internal
 */
export async function loadModel<Task extends TaskName>(
  task: Task,
  source: ModelSource,
  options: LoadOptions,
): Promise<Loaded<Tasks[Task]["info"]>> {
  const settled = settleSource(source, pageAddress());
  const { storage = "f32", device = "auto", memoryLimitBytes, signal, onProgress } = options;
  const { keep = here().disk === undefined, workers = "auto" } = options;
  const cores = here().cores();
  const wanted = workersFor(workers, cores);
  const module = await engineModule(device);
  const link = WorkerLink.spawn(reachOf(settled), module);
  const others = module === "cpu" ? followers(link, wanted - 1) : [];
  const team = { others, enough: workers !== "auto" };
  const request: Arguments<"load"> = [task, settled, storage, device, memoryLimitBytes, keep, team];
  const loaded = await callOnce(link, "load", request, signal, { onProgress }, others);
  const report = cores === undefined ? loaded.device : { ...loaded.device, cores };
  return { link, device: report, model: loaded.model as Tasks[Task]["info"], base: loaded.base };
}

/** Starts workers that do what the engine of `link` says; gives the ways to them. They end with it. */
function followers(link: WorkerLink, count: number): MessagePort[] {
  return Array.from({ length: count }, (_, member) => {
    const { port1, port2 } = new MessageChannel();
    const other = WorkerLink.spawn([], "cpu");
    const { answer } = other.call("follow", [port2], {}, [port2]);
    // Its end is dealt with below.
    answer.then(
      () => other.close(new WebtuneError("aborted", "it is not needed")),
      () => undefined,
    );
    void other.ended.then(({ message }) => link.lose(member, message));
    void link.ended.then((error) => other.close(error));
    return port1;
  });
}
