/**
 * The worker's side of the package: takes the page's messages to one engine and sends back answers, progress and events.
 * Knows nothing of workers, so that it runs under a test as it runs in one.
 */
import { chooseDevice, type DeviceChoice, type DeviceReport } from "../device.js";
import { isFatal, toWebtuneError, toWire, WebtuneError } from "../errors.js";
import { here } from "../machine.js";
import { baseOf } from "../sources/base-name.js";
import { wantsFolder } from "../sources/gguf-file.js";
import type { SourceFile } from "../sources/http-file.js";
import { loadFrom, readConfig } from "../sources/load.js";
import { CLASSIFIER_FILES, LANGUAGE_FILES } from "../sources/open.js";
import type { WrittenText } from "../types/engine.js";
import { CheckpointClock } from "./checkpoint-clock.js";
import { othersWithRoom } from "./cores.js";
import type { EngineClassifier, EngineDevice, EngineExports, EngineLanguageModel } from "./engine.js";
import type {
  Answer,
  Arguments,
  CallName,
  Control,
  FromWorker,
  LoadProgress,
  ModelRequest,
  ToWorker,
} from "./messages.js";
import { HEARD } from "./messages.js";
import { type Hardware, openDevice } from "./open-device.js";
import {
  type LoadedModel,
  languageOf,
  type MadeModel,
  perform,
  type SharedAnswer,
  type SharedArguments,
  type SharedCall,
  type SharedName,
} from "./perform.js";
import { delay, SerialQueue } from "./queue.js";
import { type PortLike, TeamLead, TeamMember } from "./team.js";

export interface HostParts extends Hardware {
  /** Starts the WebAssembly instance; called again only where it failed. */
  instantiate(): Promise<EngineExports>;
  post(message: FromWorker, transfer?: Transferable[]): void;
}

/** What the page asked of a run, a text or an export since the last event. */
interface Steered {
  paused: boolean;
  stopped: boolean;
  /** A checkpoint is on its way and not yet saved. */
  saving: boolean;
  /** Events on their way, as far as the page has confirmed. */
  unheard: number;
  wake: () => void;
}

type Report = (progress: LoadProgress) => void;

/** One engine, used by one call at a time. */
export class EngineHost {
  readonly #parts: HostParts;
  readonly #queue = new SerialQueue();
  /** Whole texts, of which the engine writes one at a time. */
  readonly #writing = new SerialQueue();
  /** Whole exports, likewise; not in line with texts, which the page may ask for between two pieces. */
  readonly #exporting = new SerialQueue();
  readonly #steered = new Map<number, Steered>();
  #exports: Promise<EngineExports> | undefined;
  /** The same once it is there, for questions after a trap. */
  #started: EngineExports | undefined;
  #loaded: LoadedModel | undefined;
  /** The other engines, where this is the first of several. */
  #lead: TeamLead<ModelRequest, SharedCall> | undefined;
  /** Devices without a model, for calls that need none. */
  readonly #bare = new Map<DeviceReport["device"], Promise<EngineDevice>>();
  #dead = false;

  constructor(parts: HostParts) {
    this.#parts = parts;
  }

  receive(message: ToWorker): void {
    if (message.kind === "control") this.#control(message.id, message.action);
    else if (message.kind === "lost") this.#lead?.lose(message.member, message.why);
    else void this.#answer(message.id, message.name, message.args);
  }

  /** Reports to the page that nothing more will come; promises of a crashed engine never settle. */
  fatal(thrown: unknown): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#parts.post({ kind: "fatal", error: toWire(this.#death(thrown)) });
  }

  /** What a person and a program should know of the engine's end. */
  #death(thrown: unknown): WebtuneError {
    const { code, message } = toWebtuneError(thrown);
    if (code === "deviceFailed") return new WebtuneError(code, message);
    const isTrap = thrown instanceof WebAssembly.RuntimeError;
    const refused = (isTrap && this.#started?.refusedBytes()) || 0;
    if (refused > 0) {
      const words = `the engine ran out of memory: ${here().name} refused ${Math.ceil(refused / 2 ** 20)} MiB more`;
      return new WebtuneError("outOfMemory", words, { needed: refused });
    }
    if (code === "outOfMemory") return new WebtuneError(code, `the engine ran out of memory: ${message}`);
    return new WebtuneError("crashed", `the engine crashed: ${message}`);
  }

  /** For rejections that nobody awaits: only those of the engine itself are fatal. */
  stray(thrown: unknown): void {
    if (isFatal(thrown)) this.fatal(thrown);
  }

  #control(id: number, action: Control): void {
    const steered = this.#steered.get(id);
    if (!steered) return;
    if (action === "stop") steered.stopped = true;
    else if (action === "saved") steered.saving = false;
    else if (action === "heard") steered.unheard -= HEARD;
    else steered.paused = action === "pause";
    steered.wake();
  }

  async #answer(id: number, name: CallName, args: Arguments<CallName>): Promise<void> {
    try {
      const value = await this.#call(id, name, args);
      this.#parts.post({ kind: "answer", id, value });
    } catch (error) {
      if (isFatal(error)) this.fatal(error);
      else this.#parts.post({ kind: "error", id, error: toWire(error) });
    }
  }

  #call(id: number, name: CallName, args: Arguments<CallName>): Promise<Answer<CallName>> {
    const report: Report = (progress) => this.#parts.post({ kind: "progress", id, progress });
    const handlers: { [Name in CallName]: (...args: Arguments<Name>) => Promise<Answer<Name>> } = {
      load: (...given) => this.#queue.run(() => this.#load(report, ...given)),
      train: (...given) => this.#train(id, ...given),
      formats: () => this.#queue.run(() => this.#model().formats()),
      export: (...given) => this.#exporting.run(() => this.#export(id, ...given)),
      follow: (port) => this.#follow(port),
      import: (...given) => this.#queue.run(() => this.#shared("import", given)),
      memoryBytes: () => this.#queue.run(async () => (await this.#start()).memoryBytes()),
      bufferBytes: () => this.#queue.run(() => this.#present().device.bufferBytes()),

      predict: (...given) => this.#queue.run(() => this.#shared("predict", given)),
      evaluateClassifier: (...given) => this.#queue.run(() => this.#shared("evaluateClassifier", given)),
      score: (...given) => this.#queue.run(() => this.#shared("score", given)),

      evaluateLanguage: (...given) => this.#queue.run(() => this.#shared("evaluateLanguage", given)),
      preview: (...given) => this.#queue.run(() => this.#language().preview(...given)),
      classify: (...given) => this.#queue.run(() => this.#shared("classify", given)),
      generate: (...given) => this.#writing.run(() => this.#generate(id, ...given)),
      nextLogits: (...given) => this.#queue.run(() => this.#language().nextLogits(...given)),

      parse: (...given) => this.#queue.run(async () => (await this.#start()).parseTable(...given)),
      parseTextRows: (...given) => this.#queue.run(async () => (await this.#start()).parseTextRows(...given)),
      compare: (...given) => this.#queue.run(async () => (await this.#start()).compareRuns(...given)),
      readConfig: (source) =>
        readConfig(
          source,
          () => undefined,
          (file) => this.#queue.run(async () => (await this.#start()).ggufConfig(file)),
        ),
      estimateLanguage: (...given) => this.#queue.run(() => this.#estimateLanguage(...given)),
    };
    // The message's type ties name and arguments together; the compiler can't follow that through a look-up.
    return (handlers[name] as (...given: Arguments<CallName>) => Promise<Answer<CallName>>)(...args);
  }

  #start(): Promise<EngineExports> {
    this.#exports ??= this.#instantiate();
    return this.#exports;
  }

  async #instantiate(): Promise<EngineExports> {
    try {
      this.#started = await this.#parts.instantiate();
      return this.#started;
    } catch (error) {
      // A failure is not kept: the network may be back at the next call.
      this.#exports = undefined;
      throw error;
    }
  }

  #present(): LoadedModel {
    if (!this.#loaded) throw new WebtuneError("invalidState", "no model is loaded");
    return this.#loaded;
  }

  #model(): EngineClassifier | EngineLanguageModel {
    return this.#present().model;
  }

  #language(): EngineLanguageModel {
    return languageOf(this.#present());
  }

  /** Makes a call, with the other engines if there are any. */
  #shared<Name extends SharedName>(name: Name, args: SharedArguments<Name>): Promise<SharedAnswer<Name>> {
    const loaded = this.#present();
    const own = () => perform(loaded, name, args);
    return this.#lead ? this.#lead.together({ name, args } as SharedCall, own) : own();
  }

  async #load(
    report: Report,
    ...[task, source, storage, choice, limit, keep, { others, enough }]: Arguments<"load">
  ): Promise<Answer<"load">> {
    if (this.#loaded) throw new WebtuneError("invalidState", "a model is loaded already");
    const [device, about] = await openDevice(this.#parts, () => this.#start(), report, choice, limit);
    const lead = others.length > 0 ? new TeamLead<ModelRequest, SharedCall>(others) : undefined;
    this.#lead = lead;
    report({ phase: "Finding the model's files" });
    const parts = {
      keep,
      optional: task === "classify" ? CLASSIFIER_FILES : LANGUAGE_FILES,
      onBytes: (file: string, loaded: number, total: number) => report({ file, loaded, total }),
      notify: (notice: string) => report({ notice }),
    };
    this.#loaded = await loadFrom<LoadedModel>(source, parts, async ({ name, files }) => {
      report({ phase: "Reading the model" });
      const request = { task, name, storage, memoryLimitBytes: about.memoryLimitBytes };
      // A graphics card computes alone.
      const most = about.device === "cpu" ? othersWithRoom(files, others.length, enough, this.#parts.deviceMemory) : 0;
      const handed = lead?.load(request, files, most) ?? files;
      const made = await this.#make(device, request, handed).catch((error: unknown) => {
        throw task === "classify" ? wantsFolder(error, files) : error;
      });
      return { ...made, device, base: await baseOf(source, files, made.model.info()), called: name };
    });
    for (const why of (await lead?.ready()) ?? []) report({ notice: `Fewer cores compute: ${why}.` });
    const { model, base } = this.#loaded;
    return { device: { ...about, workers: this.#place() }, model: model.info(), base };
  }

  async #make(device: EngineDevice, { task, name, storage }: ModelRequest, files: SourceFile[]): Promise<MadeModel> {
    const { Classifier, LanguageModel } = await this.#start();
    return task === "classify"
      ? { task, model: await Classifier.load(device, name, files, storage) }
      : { task, model: await LanguageModel.load(device, name, files, storage) };
  }

  /** Numbers the engines; gives how many there are. */
  #place(): number {
    const size = this.#lead?.place() ?? 1;
    if (this.#lead) this.#model().join(0, size, this.#lead);
    return size;
  }

  /** From now on this engine does what the first one of several says. */
  async #follow(port: PortLike): Promise<undefined> {
    const member: TeamMember<ModelRequest, SharedCall> = new TeamMember(port, {
      load: async (request, files) => {
        const device = await (await this.#start()).openDevice("cpu", request.memoryLimitBytes);
        const made = await this.#make(device, request, files);
        this.#loaded = {
          ...made,
          device,
          base: { name: request.name, isKnown: false },
          called: request.name,
        };
      },
      place: (rank, size) => this.#model().join(rank, size, member),
      perform: ({ name, args }) => perform(this.#present(), name, args),
    });
    await member.left;
    return undefined;
  }

  /** A device for a call that needs no model. */
  async #any(choice: DeviceChoice): Promise<EngineDevice> {
    // By what is chosen in the end: a WebAssembly instance opens the graphics card once.
    const { device } = await chooseDevice(choice, this.#parts.gpu);
    const made =
      this.#bare.get(device) ??
      openDevice(
        this.#parts,
        () => this.#start(),
        () => undefined,
        device,
        undefined,
      ).then(([made]) => made);
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
    ...[config, storage, options, choice]: Arguments<"estimateLanguage">
  ): Promise<Answer<"estimateLanguage">> {
    const device = await this.#any(choice);
    return (await this.#start()).estimateLanguageRun(device, config, storage, options);
  }

  /** Lets the page steer a call while its work goes on in turns of the queue. */
  async #steer<T>(id: number, work: (steered: Steered) => Promise<T>): Promise<T> {
    const steered: Steered = { paused: false, stopped: false, saving: false, unheard: 0, wake: () => undefined };
    this.#steered.set(id, steered);
    try {
      return await work(steered);
    } finally {
      this.#steered.delete(id);
    }
  }

  #train(id: number, ...[request]: Arguments<"train">): Promise<undefined> {
    return this.#steer(id, async (run) => {
      await this.#queue.run(() => {
        this.#place();
        return this.#shared("begin", [request]);
      });
      const clock = new CheckpointClock(request.checkpointSeconds, performance.now());
      let stopSent = false;
      for (;;) {
        if (!run.saving && clock.isDue(performance.now(), run.paused)) await this.#checkpoint(id, run, clock);
        await heard(run);
        await resumed(run);
        const event = await this.#queue.run(() => {
          const stop = run.stopped && !stopSent;
          stopSent ||= stop;
          return this.#shared("next", [stop]);
        });
        if (event === undefined) return undefined;
        // A stop that comes after the last event has nothing left to stop.
        if (event.type === "finished") stopSent = true;
        this.#parts.post({ kind: "event", id, event });
        run.unheard += 1;
        // A turn of the event loop, so that messages get in between two steps.
        await delay(0);
      }
    });
  }

  /** Sends the run's state to the page, if it has one that it could go on from. */
  async #checkpoint(id: number, run: Steered, clock: CheckpointClock): Promise<void> {
    const begun = performance.now();
    const bytes = await this.#queue.run(async () => {
      const model = this.#model();
      if (!model.startCheckpoint()) return undefined;
      const pieces: Uint8Array[] = [];
      for (;;) {
        const piece = await model.nextCheckpointPiece();
        if (piece === undefined) return joined(pieces);
        pieces.push(piece);
      }
    });
    if (!bytes) return;
    const ended = performance.now();
    clock.written(begun, ended);
    run.saving = true;
    const event = { type: "checkpoint" as const, bytes, ms: ended - begun };
    this.#parts.post({ kind: "event", id, event }, [bytes.buffer]);
  }

  #generate(id: number, ...[prompt, options, which]: Arguments<"generate">): Promise<WrittenText> {
    return this.#steer(id, async (text) => {
      await this.#queue.run(() => this.#language().startText(prompt, options, which));
      for (;;) {
        const piece = await this.#queue.run(() => {
          const model = this.#language();
          if (text.stopped) model.stopText();
          return model.nextText();
        });
        if (piece.done) return piece.done;
        this.#parts.post({ kind: "event", id, event: { type: "text", text: piece.text ?? "" } });
        // A turn of the event loop, so that a stop gets in between two pieces.
        await delay(0);
      }
    });
  }

  #export(id: number, ...[format, baseName]: Arguments<"export">): Promise<undefined> {
    return this.#steer(id, async (folder) => {
      await this.#queue.run(() => {
        const loaded = this.#present();
        const name = baseName ?? loaded.base.name;
        if (name !== loaded.called) loaded.model.setName(name);
        loaded.called = name;
        return loaded.model.startExport(format);
      });
      for (;;) {
        const piece = await this.#queue.run(() => this.#model().nextPiece());
        if (piece === undefined) return undefined;
        const moved = piece instanceof Uint8Array && piece.buffer instanceof ArrayBuffer ? [piece.buffer] : [];
        // Until the page has put this piece away: computed ahead, a whole model would wait in messages.
        folder.paused = true;
        this.#parts.post({ kind: "event", id, event: { type: "piece", piece } }, moved);
        await resumed(folder);
        if (!folder.stopped) continue;
        await this.#queue.run(() => this.#model().stopExport());
        return undefined;
      }
    });
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let filled = 0;
  for (const piece of pieces) {
    out.set(piece, filled);
    filled += piece.length;
  }
  return out;
}

/** Waits while the page is far behind: events of a fast run would pile up as messages. */
async function heard(run: Steered): Promise<void> {
  while (run.unheard >= 4 * HEARD && !run.stopped) {
    await new Promise<void>((resolve) => {
      run.wake = resolve;
    });
  }
}

/** Waits while the page has paused what `state` belongs to. */
async function resumed(state: Steered): Promise<void> {
  while (state.paused && !state.stopped) {
    await new Promise<void>((resolve) => {
      state.wake = resolve;
    });
  }
}
