/**
 * Opens the engine's device as a person chose it, or the CPU engine where that may stand in for it.
 */
import { chooseDevice, type DeviceChoice, type DeviceReport, defaultMemoryLimit, type GpuLike } from "../device.js";
import { tryMemory } from "../device-memory.js";
import { isFatal, messageOf, optionError } from "../errors.js";
import { claimTimestampQueries } from "../timestamp-queries.js";
import type { EngineDevice, EngineExports } from "./engine.js";
import type { LoadProgress } from "./messages.js";

/** What is known of the computer. */
export interface Hardware {
  gpu?: GpuLike | undefined;
  /** `navigator.deviceMemory`, GiB. */
  deviceMemory?: number | undefined;
}

export type Opened = [EngineDevice, Omit<DeviceReport, "workers">];

/**
 * @param start Starts the engine, once the device is chosen. @param limit Bytes; left out, what the machine is believed to have.
 * @throws WebtuneError `noWebgpu` as `chooseDevice`, `invalidOption` for a limit that is none.
 */
export async function openDevice(
  { gpu, deviceMemory }: Hardware,
  start: () => Promise<EngineExports>,
  report: (progress: LoadProgress) => void,
  choice: DeviceChoice,
  limit: number | undefined,
): Promise<Opened> {
  if (limit !== undefined && !(limit > 0)) {
    throw optionError("memoryLimitBytes", `expected a number above 0, got ${limit}`);
  }
  report({ phase: "Choosing the device" });
  const chosen = await chooseDevice(choice, gpu);
  report({ phase: "Starting the engine" });
  const engine = await start();
  const memoryLimitBytes = limit ?? defaultMemoryLimit(deviceMemory);
  const onCpu = async (reason: string): Promise<Opened> => [
    await engine.openDevice("cpu", memoryLimitBytes),
    { ...chosen, device: "cpu", reason, memoryLimitBytes },
  ];
  if (chosen.device === "cpu" || !gpu) return onCpu(chosen.reason);
  try {
    const { bytes, tensorBytes } = await tryMemory(gpu, memoryLimitBytes);
    claimTimestampQueries(gpu);
    const device = await engine.openDevice("webgpu", bytes, tensorBytes);
    return [device, { ...chosen, memoryLimitBytes: bytes, largestTensorBytes: tensorBytes }];
  } catch (error) {
    if (choice !== "auto" || isFatal(error)) throw error;
    return onCpu(
      `The CPU engine runs, because the WebGPU adapter was found but could not be used (${messageOf(error)}).`,
    );
  }
}
