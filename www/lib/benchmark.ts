/**
 * Enters: a model's shape and a plan. Leaves: times of whole LoRA steps beside times of the same page's own products.
 */
import { callOnce } from "./client.js";
import { WorkerLink } from "./link.js";
import type { BenchmarkPlan, BenchmarkResult } from "./messages.js";
import { type BenchmarkShape, type DeviceChoice, WebtuneError } from "./protocol.js";

export interface BenchmarkOptions extends BenchmarkPlan {
  onProgress?: ((progress: { phase: string }) => void) | undefined;
  signal?: AbortSignal | undefined;
  /** As for `FineTuner.load`. */
  memoryLimitBytes?: number | undefined;
}

/**
 * Times a random model of that shape in a worker of its own; no model needs to be loaded.
 *
 * @throws WebtuneError `invalidOption`, `noWebgpu`, `deviceFailed`, `outOfMemory`, `aborted`, `crashed`.
 */
export async function runBenchmark(
  device: DeviceChoice,
  shape: BenchmarkShape,
  options: BenchmarkOptions,
): Promise<BenchmarkResult> {
  const { onProgress, signal, memoryLimitBytes, steps, matmul, rounds } = options;
  const counts = { steps, rounds, m: matmul.m, k: matmul.k, n: matmul.n, count: matmul.count };
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 1) {
      throw new WebtuneError("invalidOption", `${name}: expected a whole number above 0, got ${value}`);
    }
  }
  const link = WorkerLink.spawn();
  const result = await callOnce(
    link,
    "benchmark",
    [device, shape, { steps, matmul, rounds }, memoryLimitBytes],
    signal,
    { onProgress: (progress) => "phase" in progress && onProgress?.(progress) },
  );
  link.close(new WebtuneError("aborted", "the benchmark has ended"));
  return result;
}
