/**
 * Enters: the package's `EngineHost`. Leaves: a `Worker` that runs it in this process, with an engine that only pretends.
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

  constructor({ steps = 3, stepMs = 2, failAt = undefined, gpu = undefined, refuses = undefined, words = STORY } = {}) {
    this.settings = { steps, stepMs, failAt, gpu, refuses, words };
  }

  async #exclusive(name, ms = 1) {
    if (this.#busy) this.overlapped = true;
    this.#busy = true;
    this.calls.push(name);
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.#busy = false;
  }

  async loadModel(name, files, storage) {
    await this.#exclusive("loadModel");
    for (const file of files) await file.read(0, file.size);
    return { name, files: files.map(({ path }) => path), storage };
  }

  startTraining(examples, options) {
    if (this.#busy) this.overlapped = true;
    this.calls.push("startTraining");
    this.given = { examples, options };
    if (examples.length === 0)
      throw Object.assign(new Error("examples: expected some, got none"), { code: "invalidData" });
    this.#stopped = false;
    this.#events = [{ type: "started" }];
    for (let step = 1; step <= this.settings.steps; step += 1) this.#events.push({ type: "step", step });
    this.#events.push({ type: "finished", reason: "completed" });
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

  stopTraining() {
    if (this.#busy) this.overlapped = true;
    this.calls.push("stopTraining");
    this.#stopped = true;
  }

  async predict(texts, which) {
    await this.#exclusive("predict");
    return texts.map((text) => ({ label: `${which}:${text}` }));
  }

  async evaluate(examples) {
    await this.#exclusive("evaluate");
    return { rows: examples };
  }

  async exportAdapter() {
    await this.#exclusive("exportAdapter");
    return [{ path: "adapter_config.json", bytes: new TextEncoder().encode("{}") }];
  }

  async importAdapter(files) {
    await this.#exclusive("importAdapter");
    this.imported = files;
  }

  async loadLanguageModel(name, files, storage) {
    return this.loadModel(name, files, storage);
  }

  estimateLanguageRun(config, options) {
    return { weights: config.length, options };
  }

  parseTextRows(file, bytes) {
    return [{ row: 1, content: { text: `${file}:${new TextDecoder().decode(bytes)}` } }];
  }

  previewTextRow(row, options) {
    return [{ text: row.content.text, learnt: options.completionOnlyLoss === false, tokens: 1 }];
  }

  startLanguageTraining(file, rows, options) {
    this.startTraining(rows, options);
    this.given.file = file;
  }

  nextLanguageEvent() {
    return this.nextEvent();
  }

  stopLanguageTraining() {
    this.stopTraining();
  }

  async scoreTextRows(file, rows, options, which) {
    await this.#exclusive("scoreTextRows");
    return { tokens: rows.length, file, options, which };
  }

  async classifyByLikelihood(texts, labels, options, which) {
    await this.#exclusive("classifyByLikelihood");
    return texts.map((text) => ({ label: labels[0], text, options, which }));
  }

  startWriting(prompt, options, which) {
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

  stopWriting() {
    if (this.#busy) this.overlapped = true;
    this.writing.stopped = true;
  }

  async nextLogits(prompt, which) {
    await this.#exclusive("nextLogits");
    return Float32Array.of(prompt.length, which === "tuned" ? 1 : 0);
  }

  exportLanguageAdapter() {
    return this.exportAdapter();
  }

  async exportGguf() {
    await this.#exclusive("exportGguf");
    return [{ path: "adapter.gguf", bytes: Uint8Array.of(71) }];
  }

  startMerging() {
    if (this.#busy || this.pieces) this.overlapped = true;
    this.pieces = [{ open: { path: "config.json", size: 2 } }, new TextEncoder().encode("{}"), { close: true }];
  }

  async nextMergedPiece() {
    await this.#exclusive("nextMergedPiece");
    const piece = this.pieces.shift();
    if (piece === undefined) this.pieces = undefined;
    return piece;
  }

  stopMerging() {
    if (this.#busy) this.overlapped = true;
    this.calls.push("stopMerging");
    this.pieces = undefined;
  }

  importLanguageAdapter(files) {
    return this.importAdapter(files);
  }

  memoryBytes() {
    return 1024;
  }

  bufferBytes() {
    return 2048;
  }

  free() {
    this.freed = true;
  }
}

const countRight = (rows) => rows.filter(Boolean).length;

/** Puts a `Worker` in the global scope; every instance gets a host and what `makeEngine` gives. */
export function installWorker(EngineHost, makeEngine) {
  const workers = [];
  globalThis.Worker = class FakeWorker extends EventTarget {
    terminated = false;

    constructor(url, options) {
      super();
      this.url = url;
      this.options = options;
      this.engine = makeEngine();
      this.created = [];
      this.host = new EngineHost({
        instantiate: async () => ({
          Engine: {
            create: async (device, limit) => {
              this.created.push({ device, limit });
              if (this.engine.settings.refuses === device) throw new Error(`no ${device} today`);
              return this.engine;
            },
          },
          parseTable: (name, bytes, options) => ({ name, text: new TextDecoder().decode(bytes), options }),
          compareRuns: (a, b) => ({ difference: (countRight(b) - countRight(a)) / a.length, count: a.length }),
        }),
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

    postMessage(message) {
      const data = structuredClone(message);
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
