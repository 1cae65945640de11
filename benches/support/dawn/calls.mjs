/**
 * Counts what a program asks of WebGPU, by wrapping the methods of its classes, and times each kernel where the adapter can.
 */

/** What is counted, and by which method. */
const COUNTED = /** @type {const} */ ([
  ["submits", "GPUQueue", "submit"],
  ["writes", "GPUQueue", "writeBuffer"],
  ["copies", "GPUCommandEncoder", "copyBufferToBuffer"],
  ["passes", "GPUCommandEncoder", "beginComputePass"],
  ["bindGroups", "GPUDevice", "createBindGroup"],
  ["buffers", "GPUDevice", "createBuffer"],
  ["reads", "GPUBuffer", "mapAsync"],
]);

/** @typedef {"dispatches" | "pipelines" | (typeof COUNTED)[number][0]} Call */
/** @typedef {{ count: number, workgroups: number }} Launches */

/** Timestamps of one query set; WebGPU allows no more. */
const QUERIES = 4096;
/** GPUBufferUsage; the first is GPUMapMode's too. */
const [MAP_READ, MAP_WRITE, COPY_SRC, COPY_DST, QUERY_RESOLVE] = [0x1, 0x2, 0x4, 0x8, 0x200];

/** A pass for each dispatch, each with the time before and after it; takes the place of one pass with many. */
class TimedPass {
  /** @type {any} */ #pipeline;
  /** @type {Map<number, any[]>} */ #groups = new Map();

  /** @param {(pipeline: any) => any} begin */
  constructor(begin) {
    this.begin = begin;
  }

  /** @param {any} pipeline */
  setPipeline(pipeline) {
    this.#pipeline = pipeline;
  }

  /** @param {number} index @param {any[]} group */
  setBindGroup(index, ...group) {
    this.#groups.set(index, group);
  }

  /** @param {"dispatchWorkgroups" | "dispatchWorkgroupsIndirect"} how @param {any[]} what */
  #dispatch(how, what) {
    const pass = this.begin(this.#pipeline);
    pass.setPipeline(this.#pipeline);
    for (const [index, group] of this.#groups) pass.setBindGroup(index, ...group);
    pass[how](...what);
    pass.end();
  }

  /** @param {any[]} counts */
  dispatchWorkgroups(...counts) {
    this.#dispatch("dispatchWorkgroups", counts);
  }

  /** @param {any[]} where */
  dispatchWorkgroupsIndirect(...where) {
    this.#dispatch("dispatchWorkgroupsIndirect", where);
  }

  end() {}
}

/** The calls of one process, from its making on. */
export class Calls {
  /** @type {Record<Call, number>} */
  counts = this.#zero();
  /** By label. @type {Map<string, Launches>} */
  kernels = new Map();
  /** Bytes of all buffers that are there. */
  bytes = 0;
  peakBytes = 0;
  /** Pipelines since the beginning. */
  pipelines = 0;
  /** Milliseconds in which an answer of the adapter was awaited. */
  waited = 0;
  /**
   * Whether dispatches reach the adapter. Without, everything around them is done all the same, but buffers of one size are one buffer, nothing is
   * written to them, and what is read back is 0. Decided before the first buffer is made.
   */
  executes = true;

  #awaited = 0;
  #awaitedSince = 0;
  #labels = new WeakMap();
  #current = new WeakMap();
  #sizes = new WeakMap();
  #reading = new WeakSet();
  /** Of a small buffer that stands for a large one. @type {WeakMap<any, any>} */
  #standsFor = new WeakMap();
  /** By size and usage. @type {Map<string, any>} */
  #shared = new Map();
  /** Buffers that nobody destroys are given back when they are collected. */
  #collected = new FinalizationRegistry((/** @type {{ size: number }} */ held) => this.#release(held));
  /** @type {any} */ #device;
  /** @type {any[] | undefined} */ #querySets;
  /** @type {string[]} */ #timed = [];

  /** @param {Record<string, any>} classes WebGPU's, by name */
  constructor(classes) {
    this.#resolveStandIns(classes);
    for (const [name, owner, method] of COUNTED) {
      wrap(classes[owner], method, (_, __, call) => {
        this.counts[name] += 1;
        return call();
      });
    }
    wrap(classes.GPUAdapter, "requestDevice", async (_, __, call) => {
      this.#device = await call();
      return this.#device;
    });
    this.#watchPipelines(classes);
    this.#watchPasses(classes);
    this.#watchBuffers(classes);
  }

  /** @returns {Record<Call, number>} */
  #zero() {
    const names = ["dispatches", "pipelines", ...COUNTED.map(([name]) => name)];
    return /** @type {Record<Call, number>} */ (Object.fromEntries(names.map((name) => [name, 0])));
  }

  /** Counts from 0 again; bytes and all pipelines stay. */
  reset() {
    this.counts = this.#zero();
    this.kernels = new Map();
    this.waited = 0;
  }

  /** @param {Record<string, any>} classes */
  #watchPipelines({ GPUDevice }) {
    for (const method of ["createComputePipeline", "createComputePipelineAsync"]) {
      wrap(GPUDevice, method, (_, [descriptor], call) => {
        this.counts.pipelines += 1;
        this.pipelines += 1;
        const name = descriptor.label || descriptor.compute.entryPoint || descriptor.compute.module.label || "unnamed";
        const made = call();
        const keep = (/** @type {any} */ pipeline) => {
          this.#labels.set(pipeline, name);
          return pipeline;
        };
        return made instanceof Promise ? made.then(keep) : keep(made);
      });
    }
  }

  /** @param {Record<string, any>} classes */
  #watchPasses({ GPUComputePassEncoder, GPUCommandEncoder }) {
    wrap(GPUComputePassEncoder, "setPipeline", (pass, [pipeline], call) => {
      this.#current.set(pass, pipeline);
      return call();
    });
    wrap(GPUComputePassEncoder, "dispatchWorkgroups", (pass, [x, y = 1, z = 1], call) => {
      this.#launched(pass, x * y * z);
      return this.executes ? call() : undefined;
    });
    wrap(GPUComputePassEncoder, "dispatchWorkgroupsIndirect", (pass, _, call) => {
      this.#launched(pass, 0);
      return this.executes ? call() : undefined;
    });
    wrap(GPUCommandEncoder, "beginComputePass", (encoder, _, call, own) => {
      if (!this.#querySets) return call();
      return new TimedPass((pipeline) => own.call(encoder, { timestampWrites: this.#nextWrites(pipeline) }));
    });
  }

  /** @param {any} pass @param {number} workgroups */
  #launched(pass, workgroups) {
    this.counts.dispatches += 1;
    const label = this.#labels.get(this.#current.get(pass)) ?? "unnamed";
    const known = this.kernels.get(label) ?? { count: 0, workgroups: 0 };
    this.kernels.set(label, { count: known.count + 1, workgroups: known.workgroups + workgroups });
  }

  /** @param {Record<string, any>} classes */
  #watchBuffers({ GPUDevice, GPUBuffer }) {
    wrap(GPUDevice, "createBuffer", (device, [descriptor], call, own) => {
      const { size } = descriptor;
      const buffer = this.#isShared(descriptor) ? this.#standIn(descriptor, own.bind(device)) : call();
      const held = { size };
      this.bytes += size;
      this.peakBytes = Math.max(this.peakBytes, this.bytes);
      this.#sizes.set(buffer, held);
      this.#collected.register(buffer, held);
      return buffer;
    });
    wrap(GPUBuffer, "destroy", (buffer, _, call) => {
      const held = this.#sizes.get(buffer);
      if (held) this.#release(held);
      return call();
    });
    wrap(GPUBuffer, "getMappedRange", (buffer, _, call) => {
      const range = call();
      if (!this.executes && this.#reading.has(buffer)) new Uint8Array(range).fill(0);
      return range;
    });
    wrap(GPUBuffer, "mapAsync", async (buffer, [mode], call) => {
      if (mode === MAP_READ) this.#reading.add(buffer);
      if (this.#awaited === 0) this.#awaitedSince = performance.now();
      this.#awaited += 1;
      try {
        return await call();
      } finally {
        this.#awaited -= 1;
        if (this.#awaited === 0) this.waited += performance.now() - this.#awaitedSince;
      }
    });
  }

  /** What is mapped is read and written by the program itself. @param {{ usage: number, mappedAtCreation?: boolean }} descriptor */
  #isShared({ usage, mappedAtCreation }) {
    return !this.executes && !mappedAtCreation && (usage & (MAP_READ | MAP_WRITE)) === 0;
  }

  /** A buffer that takes no memory, for one that does. @param {any} descriptor @param {(descriptor: any) => any} create */
  #standIn(descriptor, create) {
    const key = `${descriptor.size} ${descriptor.usage}`;
    const shared = this.#shared.get(key) ?? create(descriptor);
    this.#shared.set(key, shared);
    const buffer = create({ ...descriptor, size: 4 });
    this.#standsFor.set(buffer, shared);
    return buffer;
  }

  /** Puts shared buffers in the place of those that stand for them. @param {Record<string, any>} classes */
  #resolveStandIns({ GPUDevice, GPUQueue, GPUCommandEncoder }) {
    const real = (/** @type {any} */ buffer) => this.#standsFor.get(buffer) ?? buffer;
    wrap(GPUDevice, "createBindGroup", (_, args, call) => {
      if (this.executes) return call();
      const [descriptor] = args;
      const entries = Array.from(descriptor.entries, (/** @type {any} */ entry) => {
        const { buffer, ...range } = entry.resource;
        return buffer ? { ...entry, resource: { ...range, buffer: real(buffer) } } : entry;
      });
      args[0] = { ...descriptor, entries };
      return call();
    });
    wrap(GPUQueue, "writeBuffer", (_, [buffer], call) => (this.#standsFor.has(buffer) ? undefined : call()));
    wrap(GPUCommandEncoder, "clearBuffer", (_, [buffer], call) => (this.#standsFor.has(buffer) ? undefined : call()));
    wrap(GPUCommandEncoder, "copyBufferToBuffer", (_, args, call) => {
      args[0] = real(args[0]);
      args[2] = real(args[2]);
      // Within one buffer it would be refused.
      return args[0] === args[2] ? undefined : call();
    });
  }

  /** @param {{ size: number }} held */
  #release(held) {
    this.bytes -= held.size;
    held.size = 0;
  }

  get canTime() {
    return this.#device?.features.has("timestamp-query") === true;
  }

  /** From here on each kernel runs alone and is timed. */
  startTiming() {
    this.#querySets = [];
    this.#timed = [];
  }

  /** @param {any} pipeline */
  #nextWrites(pipeline) {
    const sets = /** @type {any[]} */ (this.#querySets);
    const index = (2 * this.#timed.length) % QUERIES;
    if (index === 0) sets.push(this.#device.createQuerySet({ type: "timestamp", count: QUERIES }));
    this.#timed.push(this.#labels.get(pipeline) ?? "unnamed");
    return { querySet: sets.at(-1), beginningOfPassWriteIndex: index, endOfPassWriteIndex: index + 1 };
  }

  /** Milliseconds of each label's kernels since timing began. @returns {Promise<Map<string, number>>} */
  async stopTiming() {
    const sets = this.#querySets ?? [];
    const labels = this.#timed;
    this.#querySets = undefined;
    /** @type {Map<string, number>} */
    const found = new Map();
    for (const [number, set] of sets.entries()) {
      const times = await this.#read(set);
      labels.slice((number * QUERIES) / 2, ((number + 1) * QUERIES) / 2).forEach((label, index) => {
        const nanoseconds = Number((times[2 * index + 1] ?? 0n) - (times[2 * index] ?? 0n));
        found.set(label, (found.get(label) ?? 0) + Math.max(0, nanoseconds) / 1e6);
      });
      set.destroy();
    }
    return found;
  }

  /** @param {any} set @returns {Promise<BigUint64Array>} */
  async #read(set) {
    const device = this.#device;
    const size = QUERIES * 8;
    const resolved = device.createBuffer({ size, usage: QUERY_RESOLVE | COPY_SRC });
    const mapped = device.createBuffer({ size, usage: COPY_DST | MAP_READ });
    const encoder = device.createCommandEncoder();
    encoder.resolveQuerySet(set, 0, QUERIES, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, mapped, 0, size);
    device.queue.submit([encoder.finish()]);
    await mapped.mapAsync(MAP_READ);
    const times = new BigUint64Array(mapped.getMappedRange().slice(0));
    mapped.destroy();
    resolved.destroy();
    return times;
  }
}

/**
 * @param {any} owner a class
 * @param {string} method
 * @param {(self: any, args: any[], call: () => any, own: (...args: any[]) => any) => any} around
 */
function wrap(owner, method, around) {
  const own = owner.prototype[method];
  owner.prototype[method] = function (/** @type {any[]} */ ...args) {
    return around(this, args, () => own.apply(this, args), own);
  };
}
