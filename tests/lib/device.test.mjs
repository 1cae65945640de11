/**
 * Adapters as browsers describe them: which engine is chosen, and the reason given.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { fakeGpu } from "./fakes.mjs";
import { load, removeBuild } from "./package-under-test.mjs";

const { chooseDevice, defaultMemoryLimit, engineModule } = await load("device");
const { tryMemory } = await load("device-memory");
const { SerialQueue } = await load("worker/queue");
const { fromWire, toWebtuneError, toWire } = await load("errors");
after(removeBuild);

const gpu = (adapter) => ({ requestAdapter: async () => adapter });
const hardware = { info: { vendor: "nvidia", architecture: "ampere", description: "", isFallbackAdapter: false } };
const marked = { info: { vendor: "google", architecture: "", description: "", isFallbackAdapter: true } };
const software = [
  marked,
  { isFallbackAdapter: true },
  { info: { vendor: "google", architecture: "swiftshader" } },
  { info: { vendor: "mesa", description: "llvmpipe (LLVM 19)" } },
];

test("a hardware adapter is taken", async () => {
  for (const choice of ["auto", "webgpu"]) {
    const report = await chooseDevice(choice, gpu(hardware));
    assert.equal(report.device, "webgpu");
    assert.match(report.reason, /hardware adapter \(nvidia ampere\)/);
    assert.equal(report.adapter.isFallback, false);
  }
});

test("a software adapter is passed over, unless WebGPU was asked for", async () => {
  for (const adapter of software) {
    const auto = await chooseDevice("auto", gpu(adapter));
    assert.equal(auto.device, "cpu");
    assert.match(auto.reason, /software/);
    assert.equal(auto.adapter.isFallback, true);
    const asked = await chooseDevice("webgpu", gpu(adapter));
    assert.equal(asked.device, "webgpu");
    assert.match(asked.reason, /far slower/);
  }
});

test("the larger module is loaded only where WebGPU may run", async () => {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  const inBrowser = (adapter) =>
    Object.defineProperty(globalThis, "navigator", { value: { gpu: gpu(adapter) }, configurable: true });
  try {
    inBrowser(hardware);
    assert.equal(await engineModule("auto"), "webgpu");
    assert.equal(await engineModule("cpu"), "cpu");
    for (const adapter of [...software, null]) {
      inBrowser(adapter);
      assert.equal(await engineModule("auto"), "cpu");
      // Where there is none the worker says so.
      assert.equal(await engineModule("webgpu"), "webgpu");
    }
  } finally {
    if (before) Object.defineProperty(globalThis, "navigator", before);
    else delete globalThis.navigator;
  }
});

test("without an adapter auto explains itself and webgpu says what to do", async () => {
  const broken = {
    requestAdapter: async () => {
      throw new Error("blocked");
    },
  };
  for (const [missing, reason] of [
    [undefined, /offers no WebGPU/],
    [gpu(null), /found no WebGPU adapter/],
    [broken, /blocked/],
  ]) {
    const auto = await chooseDevice("auto", missing);
    assert.equal(auto.device, "cpu");
    assert.match(auto.reason, reason);
    await assert.rejects(chooseDevice("webgpu", missing), { code: "noWebgpu", message: /choose the CPU engine/ });
  }
  assert.equal((await chooseDevice("cpu", gpu(hardware))).device, "cpu");
  await assert.rejects(chooseDevice("gpu", undefined), { code: "invalidOption", message: /got gpu/ });
});

test("the memory limit follows the device and stays inside 32 bits", () => {
  const gib = 2 ** 30;
  assert.equal(defaultMemoryLimit(undefined), 3 * gib);
  assert.equal(defaultMemoryLimit(8), 3 * gib);
  assert.equal(defaultMemoryLimit(4), 2 * gib);
  assert.equal(defaultMemoryLimit(0.25), gib / 2);
});

test("queued jobs never overlap, and a failure holds up none", async () => {
  const queue = new SerialQueue();
  const order = [];
  const job = (name, ms) => async () => {
    order.push(`${name}+`);
    await new Promise((resolve) => setTimeout(resolve, ms));
    order.push(`${name}-`);
    if (name === "b") throw new Error("b failed");
    return name;
  };
  const results = await Promise.allSettled([queue.run(job("a", 9)), queue.run(job("b", 1)), queue.run(job("c", 1))]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  assert.deepEqual(order, ["a+", "a-", "b+", "b-", "c+", "c-"]);
});

test("errors keep code and message across the worker's border", () => {
  const engine = { code: "wrongShape", message: "w: expected [1], got [2]" };
  const error = fromWire(structuredClone(toWire(engine)));
  assert.deepEqual([error.code, error.message, error.name], ["wrongShape", engine.message, "WebtuneError"]);
  const full = { ...engine, option: "o", file: "f", row: 3, tensor: "w", needed: 2, limit: 1, remedy: "skipBad" };
  const { stack: _stack, name: _name, message, ...fields } = fromWire(structuredClone(toWire(full)));
  assert.deepEqual({ ...fields, message }, full);
  assert.equal(toWebtuneError(new RangeError("WebAssembly.Memory(): could not allocate memory")).code, "outOfMemory");
  assert.equal(toWebtuneError(new DOMException("stopped", "AbortError")).code, "aborted");
  assert.equal(toWebtuneError("text").code, "crashed");
  assert.equal(toWebtuneError(Object.assign(new Error("m"), { code: "toString" })).code, "crashed");
});

test("memory is what a graphics card gives when it is asked, in pieces, and goes back", async () => {
  const GIB = 2 ** 30;
  for (const [card, wanted, bytes, tensorBytes] of [
    // All that is wanted is there.
    [{ memory: 8 * GIB, binding: 2 * GIB }, 3 * GIB, 3 * GIB, 2 * GIB],
    [{ memory: 8 * GIB, binding: 2 * GIB }, GIB, GIB, GIB],
    // A small binding limit says nothing of the memory.
    [{ memory: 8 * GIB, binding: GIB / 8 }, 3 * GIB, 3 * GIB, GIB / 8],
    // Too little memory: to the nearest 32 MiB below.
    [{ memory: 1.5 * GIB, binding: 2 * GIB }, 3 * GIB, 1.5 * GIB, GIB],
    [{ memory: 0.7 * GIB, binding: GIB }, 3 * GIB, 0.6875 * GIB, GIB / 2],
    [{ memory: 0, binding: GIB }, 3 * GIB, 0, 32 * 2 ** 20],
    // Nothing to try.
    [{ memory: GIB, binding: GIB }, 7, 7, 4],
  ]) {
    const gpu = fakeGpu(card);
    const found = await tryMemory(gpu, wanted);
    assert.ok(Math.abs(found.bytes - bytes) <= 2 ** 25, `${found.bytes} of ${bytes}`);
    assert.equal(found.tensorBytes, tensorBytes);
    assert.equal(gpu.open, 0, "the device is destroyed");
    assert.ok(gpu.asked.length < 40, `${gpu.asked.length} buffers`);
    assert.equal(gpu.requiredLimits.maxStorageBufferBindingSize, card.binding);
  }
});
