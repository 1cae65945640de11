/**
 * Finds out how much of a graphics card's memory may be had: by its limits and by an allocation that is tried, as no browser tells it.
 */
import type { GpuLike } from "./device.js";
import { here } from "./machine.js";

const MIB = 1 << 20;
/** The smallest piece that is tried; less than it makes no difference to a model. */
const SMALLEST = 32 * MIB;
/** Pieces stay below this, so that memory in pieces is found as well. */
const PIECE = 256 * MIB;
const STORAGE = 0x80;
/** What every adapter grants, by the specification. */
const GUARANTEED_BINDING = 128 * MIB;

/** What a graphics card has for the engine, in bytes. */
export interface DeviceMemory {
  /** Buffers of this size together could be allocated; at most what was wanted. */
  bytes: number;
  /** The largest buffer that a shader may bind, and so the largest tensor. */
  tensorBytes: number;
}

/**
 * Allocates up to `wanted` bytes on a device of its own and gives all of it back. Nothing is written to it.
 *
 * @throws whatever the browser throws for an adapter that gives no device.
 */
export async function tryMemory(gpu: GpuLike, wanted: number): Promise<DeviceMemory> {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error(`${here().name} found no WebGPU adapter`);
  const { maxBufferSize = 0, maxStorageBufferBindingSize = 0 } = adapter.limits ?? {};
  const binding = Math.max(GUARANTEED_BINDING, Math.min(maxBufferSize, maxStorageBufferBindingSize));
  const requiredLimits = { maxBufferSize: binding, maxStorageBufferBindingSize: binding };
  const device = await adapter.requestDevice({ requiredLimits });
  const given: number[] = [];
  /** Whether a buffer of this size is to be had besides those before it. */
  const take = async (size: number): Promise<boolean> => {
    device.pushErrorScope("out-of-memory");
    device.pushErrorScope("validation");
    device.createBuffer({ size, usage: STORAGE });
    const errors = [await device.popErrorScope(), await device.popErrorScope()];
    if (errors.some((error) => error !== null)) return false;
    given.push(size);
    return true;
  };
  try {
    // The largest tensor first, while nothing else is in the way.
    let tensorBytes = Math.min(binding, floor(wanted));
    while (tensorBytes > SMALLEST && !(await take(tensorBytes))) tensorBytes = floor(tensorBytes / 2);
    const missing = (): number => wanted - given.reduce((sum, size) => sum + size, 0);
    let piece = PIECE;
    while (piece >= SMALLEST && missing() >= SMALLEST) {
      if (!(await take(Math.min(piece, floor(missing()))))) piece = floor(piece / 2);
    }
    return { bytes: missing() < SMALLEST ? wanted : wanted - missing(), tensorBytes };
  } finally {
    // Gives the buffers back too.
    device.destroy();
  }
}

/** A multiple of four, which buffers' sizes are. */
function floor(bytes: number): number {
  return Math.floor(bytes / 4) * 4;
}
