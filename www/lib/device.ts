/**
 * Decides which engine runs, from the person's choice and the browser's WebGPU, and says why in one sentence.
 */
import { messageOf, optionError, WebtuneError } from "./errors.js";
import { here } from "./machine.js";

/** What a person asks for; `auto` takes WebGPU on a hardware adapter and the CPU engine otherwise. */
export type DeviceChoice = "auto" | "webgpu" | "cpu";

/** Which engine runs, and why that one. */
export interface DeviceReport {
  device: "webgpu" | "cpu";
  /** One sentence a person can read. */
  reason: string;
  /** The WebGPU adapter that was found, used or not. */
  adapter?: { vendor: string; architecture: string; description: string; isFallback: boolean };
  /** Bytes that the engine plans with: what was asked for, and no more than the graphics card gave when it was tried. */
  memoryLimitBytes: number;
  /** Bytes of the largest tensor that the graphics card holds in one buffer; absent on the CPU engine. */
  largestTensorBytes?: number;
  /** How many workers compute, each on a core of its own; 1 with a graphics card. */
  workers: number;
  /** How many cores the browser says that the machine has, where it does. */
  cores?: number;
}

/** What is known before the engine is opened. */
export type DeviceChosen = Pick<DeviceReport, "device" | "reason" | "adapter">;

type AdapterReport = NonNullable<DeviceReport["adapter"]>;

/** The part of `navigator.gpu` that is used here. */
export interface GpuLike {
  requestAdapter(options?: { powerPreference?: "high-performance" }): Promise<AdapterLike | null>;
}

export interface AdapterLike {
  limits?: { maxBufferSize?: number; maxStorageBufferBindingSize?: number };
  requestDevice(options: { requiredLimits: Record<string, number> }): Promise<DeviceLike>;
  /** Browsers before the `info` attribute carried the mark here. */
  isFallbackAdapter?: boolean;
  info?: {
    vendor?: string;
    architecture?: string;
    device?: string;
    description?: string;
    isFallbackAdapter?: boolean;
  };
}

/** The part of a `GPUDevice` by which memory is tried. */
export interface DeviceLike {
  pushErrorScope(filter: "out-of-memory" | "validation"): void;
  popErrorScope(): Promise<object | null>;
  createBuffer(options: { size: number; usage: number }): unknown;
  destroy(): void;
}

// Software adapters by the names they give themselves; not every browser marks them as fallback.
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|software|basic render|\bwarp\b/i;

const MIB = 1 << 20;
const GIB = 1 << 30;

/**
 * Decides between WebGPU and the CPU engine.
 *
 * @param choice `auto` takes WebGPU on a hardware adapter only; `webgpu` takes any adapter; `cpu` doesn't look for one.
 * @throws WebtuneError `noWebgpu` where WebGPU was asked for and there is no adapter, `invalidOption` for another word.
 */
export async function chooseDevice(choice: DeviceChoice, gpu: GpuLike | undefined): Promise<DeviceChosen> {
  if (choice === "cpu") return { device: "cpu", reason: "The CPU engine was asked for." };
  if (choice !== "auto" && choice !== "webgpu") {
    throw optionError("device", `expected auto, webgpu or cpu, got ${String(choice)}`);
  }
  const found = await findAdapter(gpu);
  if (typeof found === "string") {
    if (choice === "auto") return { device: "cpu", reason: `The CPU engine runs, because ${found}.` };
    throw new WebtuneError(
      "noWebgpu",
      `WebGPU is not available: ${found}. ${here().gpuAdvice} or choose the CPU engine (device: cpu).`,
    );
  }
  const name = adapterName(found);
  if (!found.isFallback)
    return { device: "webgpu", reason: `WebGPU runs on a hardware adapter (${name}).`, adapter: found };
  if (choice === "auto") {
    return {
      device: "cpu",
      reason: `The CPU engine runs, because the only WebGPU adapter is a software one (${name}), which is far slower.`,
      adapter: found,
    };
  }
  return {
    device: "webgpu",
    reason: `WebGPU was asked for and runs on a software adapter (${name}), which is far slower than the CPU engine.`,
    adapter: found,
  };
}

/** Which of the package's two WebAssembly modules: the CPU engine alone, or both engines, which is more than twice the download. */
export type EngineModule = "cpu" | "webgpu";

/** The smallest module that serves this choice in this browser; the worker that loads it decides as `chooseDevice` does. */
export async function engineModule(choice: DeviceChoice): Promise<EngineModule> {
  if (choice !== "auto") return choice === "webgpu" ? "webgpu" : "cpu";
  const known = here().autoModule?.();
  if (known !== undefined) return known;
  const { gpu } = (globalThis.navigator ?? {}) as { gpu?: GpuLike };
  return (await chooseDevice(choice, gpu)).device;
}

/** The adapter, or the reason why there is none, as the second half of a sentence. */
async function findAdapter(gpu: GpuLike | undefined): Promise<AdapterReport | string> {
  if (!gpu) return here().withoutGpu;
  let adapter: AdapterLike | null;
  try {
    adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  } catch (error) {
    return `the search for a WebGPU adapter failed (${messageOf(error)})`;
  }
  if (!adapter) return `${here().name} found no WebGPU adapter`;
  const { vendor = "", architecture = "", device = "", description = "" } = adapter.info ?? {};
  const marked = adapter.info?.isFallbackAdapter === true || adapter.isFallbackAdapter === true;
  return {
    vendor,
    architecture,
    description: description || device,
    isFallback: marked || [vendor, architecture, device, description].some((word) => SOFTWARE.test(word)),
  };
}

function adapterName({ vendor, architecture, description }: AdapterReport): string {
  const words = [vendor, architecture, description].filter((word) => word !== "");
  return words.length > 0 ? words.join(" ") : "it gives no name";
}

/**
 * How much memory the engine may take where the caller sets no limit, in bytes.
 *
 * @param deviceMemory `navigator.deviceMemory`, in GiB, where the browser tells it.
 */
export function defaultMemoryLimit(deviceMemory: number | undefined): number {
  // 32-bit WebAssembly ends at 4 GiB, and a heap is never filled to its last byte.
  const ceiling = 3 * GIB;
  if (deviceMemory === undefined || !(deviceMemory > 0)) return ceiling;
  // Half is left to the page, the browser and the rest of the machine.
  return Math.min(ceiling, Math.max(512 * MIB, (deviceMemory * GIB) / 2));
}
