/**
 * A `Worker` that runs the package's `EngineHost` in this process, with an engine that only pretends.
 */

const STORY = ["Once ", "upon ", "a ", "time"];

/** Tells whether two of its methods ever overlapped, which would break the real engine. */
export class FakeEngine {
  overlapped = false;
  calls = [];
  freed = false;
  #busy = false;
  #events = [];
  #stopped = false;

  constructor({
    steps = 3,
    stepMs = 2,
    failAt = undefined,
    gpu = undefined,
    refuses = undefined,
    unreachable = 0,
    error = undefined,
    words = STORY,
    checkpointMs = 0,
    refused = 0,
  } = {}) {
    this.settings = { steps, stepMs, failAt, gpu, refuses, unreachable, error, words, checkpointMs, refused };
  }

  async #exclusive(name, ms = 1) {
    if (this.#busy) this.overlapped = true;
    this.#busy = true;
    this.calls.push(name);
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.#busy = false;
  }

  async load(name, files, storage) {
    await this.#exclusive("load");
    for (const file of files) await file.read(0, file.size);
    this.loaded = { name, files: files.map(({ path }) => path), storage };
    return this;
  }

  info() {
    return this.loaded;
  }

  join(rank, size, wire) {
    this.place = { rank, size, wire };
  }

  start(file, rows, options) {
    if (this.#busy) this.overlapped = true;
    this.calls.push("start");
    this.given = { file, rows, options };
    if (rows.length === 0) {
      const fields = { code: "invalidData", file, row: 7 };
      throw Object.assign(new Error(`${file}: expected some, got none`), fields);
    }
    this.#stopped = false;
    this.#events = [{ type: "started" }];
    for (let step = 1; step <= this.settings.steps; step += 1) this.#events.push({ type: "step", step });
    this.#events.push({ type: "finished", reason: "completed" });
  }

  /** A state is the number of events that are left, in two pieces. */
  resume(file, rows, checkpoint, options) {
    this.start(file, rows, options);
    this.calls.push("resume");
    this.#events = this.#events.slice(-checkpoint[1]);
  }

  startCheckpoint() {
    if (this.#busy) this.overlapped = true;
    this.calls.push("startCheckpoint");
    if (this.#events.length > this.settings.steps) return false;
    this.state = [Uint8Array.of(7), Uint8Array.of(this.#events.length)];
    return true;
  }

  async nextCheckpointPiece() {
    await this.#exclusive("nextCheckpointPiece", this.settings.checkpointMs);
    return this.state.shift();
  }

  async nextEvent() {
    await this.#exclusive("nextEvent", this.settings.stepMs);
    const event = this.#events[0];
    if (event?.step !== undefined && event.step === this.settings.failAt) {
      throw this.settings.error;
    }
    if (event && this.#stopped) {
      this.#events = [];
      return { type: "finished", reason: "stopped" };
    }
    return this.#events.shift();
  }

  stop() {
    if (this.#busy) this.overlapped = true;
    this.calls.push("stop");
    this.#stopped = true;
  }

  async predict(texts, which) {
    await this.#exclusive("predict");
    return texts.map((text) => ({ label: `${which}:${typeof text === "string" ? text : JSON.stringify(text)}` }));
  }

  async score(rows) {
    await this.#exclusive("score");
    return { labels: rows.map(({ label }) => label) };
  }

  async evaluate(...given) {
    await this.#exclusive("evaluate");
    if (given.length === 1) return { rows: given[0] };
    const [file, rows, options, which] = given;
    return { tokens: rows.length, file, options, which };
  }

  preview(row, options) {
    return [{ text: row.content.text, learnt: options.completionOnlyLoss === false, tokens: 1 }];
  }

  async classify(texts, labels, options, which) {
    await this.#exclusive("classify");
    return texts.map((text) => ({ label: labels[0], text, options, which }));
  }

  setName(name) {
    if (this.#busy) this.overlapped = true;
    this.called = name;
  }

  formats() {
    return ["peft", "gguf"];
  }

  async startExport(format = "peft") {
    await this.#exclusive("startExport");
    if (this.pieces) this.overlapped = true;
    if (format === "adapterhub")
      throw Object.assign(new Error("format: refused"), { code: "invalidOption", option: "format" });
    const size = { size: 2 };
    this.pieces = [
      { open: { path: `${format}.json`, ...size } },
      new TextEncoder().encode("{"),
      new TextEncoder().encode("}"),
      { close: true },
    ];
  }

  async nextPiece() {
    await this.#exclusive("nextPiece");
    const piece = this.pieces.shift();
    if (piece === undefined) this.pieces = undefined;
    return piece;
  }

  stopExport() {
    if (this.#busy) this.overlapped = true;
    this.calls.push("stopExport");
    this.pieces = undefined;
  }

  async importFiles(files) {
    await this.#exclusive("importFiles");
    this.imported = files;
  }

  startText(prompt, options, which) {
    if (this.#busy || this.writing) this.overlapped = true;
    if (prompt === "") throw Object.assign(new Error("prompt: expected 1 to 9 tokens, got 0"), { code: "invalidData" });
    this.writing = { words: [...this.settings.words], which, options, text: "", stopped: false };
  }

  async nextText() {
    await this.#exclusive("nextText");
    const { writing } = this;
    const text = writing.stopped ? undefined : writing.words.shift();
    if (text !== undefined) {
      writing.text += text;
      return { text, done: null };
    }
    this.writing = undefined;
    return { text: null, done: { text: writing.text, tokens: 4, ending: writing.stopped ? "stopped" : "length" } };
  }

  stopText() {
    if (this.#busy) this.overlapped = true;
    this.writing.stopped = true;
  }

  async nextLogits(prompt, which) {
    await this.#exclusive("nextLogits");
    return Float32Array.of(prompt.length, which === "tuned" ? 1 : 0);
  }

  bufferBytes() {
    return 2048;
  }

  free() {
    this.freed = true;
  }
}

/**
 * A graphics card that gives `memory` bytes to all buffers together.
 * @param {{ memory: number, binding: number, info?: object }} card
 */
export function fakeGpu({ memory, binding, info = { vendor: "acme" } }) {
  const gpu = { open: 0, asked: [] };
  gpu.requestAdapter = async () => ({
    info,
    limits: { maxBufferSize: 4 * binding, maxStorageBufferBindingSize: binding },
    requestDevice: async ({ requiredLimits }) => {
      gpu.open += 1;
      gpu.requiredLimits = requiredLimits;
      let taken = 0;
      const scopes = [];
      return {
        pushErrorScope: (filter) => scopes.push({ filter, error: null }),
        popErrorScope: async () => scopes.pop().error,
        createBuffer: ({ size }) => {
          gpu.asked.push(size);
          if (size % 4 !== 0) throw new Error(`a buffer of ${size} bytes`);
          if (taken + size <= memory) taken += size;
          else scopes.find(({ filter }) => filter === "out-of-memory").error = new Error("no memory");
        },
        destroy: () => {
          gpu.open -= 1;
        },
      };
    },
  });
  return gpu;
}

const countRight = (rows) => rows.filter(Boolean).length;

/** Puts a `Worker` in the global scope; every instance gets a host and what `makeEngine` gives. */
export function installWorker(EngineHost, makeEngine) {
  const workers = [];
  // As many as it takes for one worker, on any machine.
  if (globalThis.navigator) Object.defineProperty(navigator, "hardwareConcurrency", { value: 2, configurable: true });
  globalThis.Worker = class FakeWorker extends EventTarget {
    terminated = false;

    constructor(url, options) {
      super();
      this.url = url;
      this.options = options;
      this.engine = makeEngine();
      this.created = [];
      this.instantiated = 0;
      this.host = new EngineHost({
        instantiate: async () => {
          this.instantiated += 1;
          if (this.engine.settings.unreachable >= this.instantiated) throw new TypeError("Failed to fetch");
          const load = (_device, ...given) => this.engine.load(...given);
          return {
            openDevice: async (device, limit, largestTensor) => {
              this.created.push({ device, limit, ...(largestTensor && { largestTensor }) });
              if (this.engine.settings.refuses === device) throw new Error(`no ${device} today`);
              return this.engine;
            },
            Classifier: { load },
            LanguageModel: { load },
            parseTable: (name, bytes, options) => {
              if (name === "panic") throw this.engine.settings.error;
              const text = new TextDecoder().decode(bytes);
              const rows = text.split("\n").slice(1).filter(Boolean);
              return {
                name,
                text,
                options,
                ...(rows.length > 0 && { rows: rows.map((text) => ({ text, label: "x" })) }),
              };
            },
            parseTextRows: (file, bytes, options) => ({
              rows: [{ row: 1, content: { text: `${file}:${new TextDecoder().decode(bytes)}` } }],
              options,
            }),
            compareRuns: (a, b) => ({ difference: (countRight(b) - countRight(a)) / a.length, count: a.length }),
            estimateLanguageRun: (_device, config, storage, options) => ({ total: config.length, storage, options }),
            ggufConfig: async (file) => {
              const head = await file.read(0, 4);
              return new TextEncoder().encode(JSON.stringify({ file: file.path, head: [...head] }));
            },
            memoryBytes: () => 1024,
            refusedBytes: () => this.engine.settings.refused,
          };
        },
        gpu: this.engine.settings.gpu,
        post: (message, transfer = []) => {
          const data = structuredClone(message, { transfer });
          setTimeout(() => this.#emit(data), 0);
        },
      });
      workers.push(this);
    }

    #emit(data) {
      if (!this.terminated) this.dispatchEvent(Object.assign(new Event("message"), { data }));
    }

    postMessage(message, transfer = []) {
      const data = structuredClone(message, { transfer });
      setTimeout(() => {
        if (!this.terminated) this.host.receive(data);
      }, 0);
    }

    terminate() {
      this.terminated = true;
    }
  };
  return workers;
}
