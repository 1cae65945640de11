/**
 * Enters: messages of the page's side and a way to start the engine. Leaves: answers, progress and training events.
 * Knows nothing of workers, so that it runs under a test as it runs in one.
 */
import { chooseDevice, defaultMemoryLimit, type GpuLike } from "./device.js";
import { isTrap, messageOf, toWire } from "./errors.js";
import type { WrittenText } from "./language-protocol.js";
import type {
  Answer,
  Arguments,
  CallEvent,
  CallName,
  Control,
  FromWorker,
  LoadProgress,
  SettledSource,
  ToWorker,
} from "./messages.js";
import { type DeviceChoice, type DeviceReport, type Engine, type EngineExports, WebtuneError } from "./protocol.js";
import { delay, SerialQueue } from "./queue.js";
import { CLASSIFIER_FILES, LANGUAGE_FILES, type OpenedSource, openSource, readConfig } from "./sources.js";

export interface HostParts {
  /** Starts the WebAssembly instance; called once. */
  instantiate(): Promise<EngineExports>;
  post(message: FromWorker, transfer?: Transferable[]): void;
  gpu?: GpuLike | undefined;
  /** `navigator.deviceMemory`, GiB. */
  deviceMemory?: number | undefined;
}

/** What the page asked of a run, a text or a merged folder since the last event. */
interface RunState {
  paused: boolean;
  stopped: boolean;
  wake: () => void;
}

/** The engine's side of a run. */
interface Training {
  start(engine: Engine): void;
  next(engine: Engine): Promise<CallEvent | undefined>;
  stop(engine: Engine): void;
}

type Report = (progress: LoadProgress) => void;

/** The worker's side of the package: one engine, used by one call at a time. */
export class EngineHost {
  readonly #parts: HostParts;
  readonly #queue = new SerialQueue();
  /** Whole texts, of which the engine writes one at a time. */
  readonly #writing = new SerialQueue();
  /** Whole merged folders, likewise; apart from texts, which the page may ask for between two pieces. */
  readonly #merging = new SerialQueue();
  readonly #runs = new Map<number, RunState>();
  #exports: Promise<EngineExports> | undefined;
  #engine: Engine | undefined;
  /** Engines without a model, for calls that need none. */
  readonly #bare = new Map<DeviceReport["device"], Promise<Engine>>();
  #panic = "";
  #dead = false;

  constructor(parts: HostParts) {
    this.#parts = parts;
  }

  receive(message: ToWorker): void {
    if (message.kind === "control") this.#control(message.id, message.action);
    else void this.#answer(message.id, message.name, message.args);
  }

  /** Keeps what the engine printed as it panicked: the trap that follows says only "unreachable". */
  note(printed: string): void {
    // Everything after the first blank line is a stack of this build's own addresses.
    if (printed.includes("panicked at")) this.#panic = (printed.split(/\n\s*\nStack/)[0] ?? printed).trim();
  }

  /** Tells the page that nothing more will come; promises of a trapped engine never settle. */
  fatal(thrown: unknown): void {
    if (this.#dead) return;
    this.#dead = true;
    const message = this.#panic || messageOf(thrown);
    this.#parts.post({ kind: "fatal", error: { code: "crashed", message: `the engine crashed: ${message}` } });
  }

  /** For rejections that nobody awaits: only those of the engine itself are fatal. */
  stray(thrown: unknown): void {
    if (isTrap(thrown) || this.#panic !== "") this.fatal(thrown);
  }

  #control(id: number, action: Control): void {
    const run = this.#runs.get(id);
    if (!run) return;
    if (action === "stop") run.stopped = true;
    else run.paused = action === "pause";
    run.wake();
  }

  async #answer(id: number, name: CallName, args: Arguments<CallName>): Promise<void> {
    try {
      const value = await this.#call(id, name, args);
      this.#parts.post({ kind: "answer", id, value }, transfers(value));
    } catch (error) {
      if (isTrap(error)) this.fatal(error);
      else this.#parts.post({ kind: "error", id, error: toWire(error) });
    }
  }

  #call(id: number, name: CallName, args: Arguments<CallName>): Promise<Answer<CallName>> {
    const report: Report = (progress) => this.#parts.post({ kind: "progress", id, progress });
    const handlers: { [Name in CallName]: (...args: Arguments<Name>) => Promise<Answer<Name>> } = {
      load: (...given) => this.#queue.run(() => this.#load(report, ...given)),
      parse: (...given) => this.#queue.run(async () => (await this.#start()).parseTable(...given)),
      compare: (...given) => this.#queue.run(async () => (await this.#start()).compareRuns(...given)),
      train: (...given) =>
        this.#train(id, {
          start: (engine) => engine.startTraining(...given),
          next: (engine) => engine.nextEvent(),
          stop: (engine) => engine.stopTraining(),
        }),
      predict: (...given) => this.#queue.run(() => this.#loaded().predict(...given)),
      evaluate: (...given) => this.#queue.run(() => this.#loaded().evaluate(...given)),
      exportAdapter: () => this.#queue.run(() => this.#loaded().exportAdapter()),
      importAdapter: (...given) =>
        this.#queue.run(async () => {
          await this.#loaded().importAdapter(...given);
          return undefined;
        }),
      loadLanguage: (...given) => this.#queue.run(() => this.#loadLanguage(report, ...given)),
      readConfig: (source) => readConfig(source, () => undefined),
      estimateLanguage: (...given) => this.#queue.run(() => this.#estimateLanguage(...given)),
      parseTextRows: (...given) => this.#queue.run(async () => (await this.#any("cpu")).parseTextRows(...given)),
      previewTextRow: (...given) => this.#queue.run(() => this.#loaded().previewTextRow(...given)),
      trainLanguage: (...given) =>
        this.#train(id, {
          start: (engine) => engine.startLanguageTraining(...given),
          next: (engine) => engine.nextLanguageEvent(),
          stop: (engine) => engine.stopLanguageTraining(),
        }),
      scoreTextRows: (...given) => this.#queue.run(() => this.#loaded().scoreTextRows(...given)),
      classifyByLikelihood: (...given) => this.#queue.run(() => this.#loaded().classifyByLikelihood(...given)),
      generate: (...given) => this.#generate(id, ...given),
      nextLogits: (...given) => this.#queue.run(() => this.#loaded().nextLogits(...given)),
      exportLanguageAdapter: () => this.#queue.run(() => this.#loaded().exportLanguageAdapter()),
      exportGguf: () => this.#queue.run(() => this.#loaded().exportGguf()),
      exportMerged: () => this.#merging.run(() => this.#exportMerged(id)),
      importLanguageAdapter: (...given) =>
        this.#queue.run(async () => {
          await this.#loaded().importLanguageAdapter(...given);
          return undefined;
        }),
      memoryBytes: () => this.#queue.run(() => this.#loaded().memoryBytes()),
      bufferBytes: () => this.#queue.run(() => this.#loaded().bufferBytes()),
    };
    // The message's type ties name and arguments together; the compiler can't follow that through a look-up.
    return (handlers[name] as (...given: Arguments<CallName>) => Promise<Answer<CallName>>)(...args);
  }

  #start(): Promise<EngineExports> {
    this.#exports ??= this.#parts.instantiate();
    return this.#exports;
  }

  #loaded(): Engine {
    if (!this.#engine) throw new WebtuneError("invalidState", "no model is loaded");
    return this.#engine;
  }

  async #createEngine(
    report: Report,
    choice: DeviceChoice,
    limit: number | undefined,
  ): Promise<[Engine, DeviceReport]> {
    if (limit !== undefined && !(limit > 0)) {
      throw new WebtuneError("invalidOption", `memoryLimitBytes: expected a number above 0, got ${limit}`);
    }
    report({ phase: "Choosing the device" });
    const device = await chooseDevice(choice, this.#parts.gpu);
    report({ phase: "Starting the engine" });
    const { Engine: engine } = await this.#start();
    const bytes = limit ?? defaultMemoryLimit(this.#parts.deviceMemory);
    try {
      return [await engine.create(device.device, bytes), device];
    } catch (error) {
      if (choice !== "auto" || device.device === "cpu") throw error;
      const reason = `The CPU engine runs, because the WebGPU adapter was found but could not be used (${messageOf(error)}).`;
      return [await engine.create("cpu", bytes), { ...device, device: "cpu", reason }];
    }
  }

  async #load(report: Report, ...[source, storage, choice, limit]: Arguments<"load">): Promise<Answer<"load">> {
    return this.#loadInto(report, source, choice, limit, CLASSIFIER_FILES, (engine, { name, files }) =>
      engine.loadModel(name, files, storage),
    );
  }

  #loadLanguage(
    report: Report,
    ...[source, storage, choice, limit]: Arguments<"loadLanguage">
  ): Promise<Answer<"loadLanguage">> {
    return this.#loadInto(report, source, choice, limit, LANGUAGE_FILES, (engine, { name, files }) =>
      engine.loadLanguageModel(name, files, storage),
    );
  }

  async #loadInto<Model>(
    report: Report,
    source: SettledSource,
    choice: DeviceChoice,
    limit: number | undefined,
    optional: readonly string[],
    read: (engine: Engine, opened: OpenedSource) => Promise<Model>,
  ): Promise<{ device: DeviceReport; model: Model }> {
    if (this.#engine) throw new WebtuneError("invalidState", "a model is loaded already");
    const [engine, device] = await this.#createEngine(report, choice, limit);
    report({ phase: "Finding the model's files" });
    const opened = await openSource(source, (file, loaded, total) => report({ file, loaded, total }), optional);
    report({ phase: "Reading the model" });
    const model = await read(engine, opened);
    this.#engine = engine;
    return { device, model };
  }

  /** An engine for a call that needs no model. */
  async #any(choice: DeviceChoice): Promise<Engine> {
    // By what is chosen in the end: a WebAssembly instance opens the graphics card once.
    const { device } = await chooseDevice(choice, this.#parts.gpu);
    const made =
      this.#bare.get(device) ?? this.#createEngine(() => undefined, device, undefined).then(([made]) => made);
    this.#bare.set(device, made);
    try {
      return await made;
    } catch (error) {
      // a failure is not kept
      this.#bare.delete(device);
      if (choice === "auto" && device === "webgpu") return this.#any("cpu");
      throw error;
    }
  }

  async #estimateLanguage(
    ...[from, options, choice]: Arguments<"estimateLanguage">
  ): Promise<Answer<"estimateLanguage">> {
    const config = from instanceof Uint8Array ? from : await readConfig(from, () => undefined);
    return (await this.#any(choice)).estimateLanguageRun(config, options);
  }

  #generate(id: number, ...[prompt, options, which]: Arguments<"generate">): Promise<WrittenText> {
    const text: RunState = { paused: false, stopped: false, wake: () => undefined };
    this.#runs.set(id, text);
    return this.#writing.run(async () => {
      try {
        await this.#queue.run(() => this.#loaded().startWriting(prompt, options, which));
        for (;;) {
          const piece = await this.#queue.run(() => {
            const engine = this.#loaded();
            if (text.stopped) engine.stopWriting();
            return engine.nextText();
          });
          if (piece.done) return piece.done;
          this.#parts.post({ kind: "event", id, event: { type: "text", text: piece.text ?? "" } });
          // A turn of the event loop, so that a stop gets in between two pieces.
          await delay(0);
        }
      } finally {
        this.#runs.delete(id);
      }
    });
  }

  async #exportMerged(id: number): Promise<undefined> {
    const folder: RunState = { paused: false, stopped: false, wake: () => undefined };
    this.#runs.set(id, folder);
    try {
      await this.#queue.run(() => this.#loaded().startMerging());
      for (;;) {
        const piece = await this.#queue.run(() => this.#loaded().nextMergedPiece());
        if (piece === undefined) return undefined;
        const moved = piece instanceof Uint8Array && piece.buffer instanceof ArrayBuffer ? [piece.buffer] : [];
        // Until the page has put this piece away: computed ahead, a whole model would wait in messages.
        folder.paused = true;
        this.#parts.post({ kind: "event", id, event: { type: "piece", piece } }, moved);
        await resumed(folder);
        if (!folder.stopped) continue;
        await this.#queue.run(() => this.#loaded().stopMerging());
        return undefined;
      }
    } finally {
      this.#runs.delete(id);
    }
  }

  async #train(id: number, training: Training): Promise<undefined> {
    const run: RunState = { paused: false, stopped: false, wake: () => undefined };
    this.#runs.set(id, run);
    try {
      await this.#queue.run(() => training.start(this.#loaded()));
      let stopTold = false;
      for (;;) {
        await resumed(run);
        const event = await this.#queue.run(async () => {
          const engine = this.#loaded();
          if (run.stopped && !stopTold) {
            stopTold = true;
            training.stop(engine);
          }
          const begin = performance.now();
          const next = await training.next(engine);
          return next?.type === "step" ? { ...next, ms: performance.now() - begin } : next;
        });
        if (event === undefined) return undefined;
        // A stop that comes after the last event has nothing left to stop.
        if (event.type === "finished") stopTold = true;
        this.#parts.post({ kind: "event", id, event });
        // A turn of the event loop, so that messages get in between two steps.
        await delay(0);
      }
    } finally {
      this.#runs.delete(id);
    }
  }
}

/** Waits while the page has paused what `state` belongs to. */
async function resumed(state: RunState): Promise<void> {
  while (state.paused && !state.stopped) {
    await new Promise<void>((resolve) => {
      state.wake = resolve;
    });
  }
}

/** Exported files move to the page instead of being copied. */
function transfers(value: Answer<CallName>): Transferable[] {
  if (!Array.isArray(value)) return [];
  const buffers = new Set<Transferable>();
  for (const item of value) {
    if (typeof item === "object" && "bytes" in item && item.bytes.buffer instanceof ArrayBuffer)
      buffers.add(item.bytes.buffer);
  }
  return [...buffers];
}
