/**
 * How many workers compute on the CPU engine: as many as there are cores to spare and memory for.
 */
import { optionError } from "../errors.js";
import type { SourceFile } from "../sources/http-file.js";

/** "auto": one fewer than the machine has cores, at most 8, and no more than its memory holds. */
export type WorkerChoice = "auto" | number;

/** More bring little: a step's batch is cut into no more parts than that. */
const MOST = 8;
const MIB = 1 << 20;
/** What a worker takes besides the model: code, texts, activations. */
const BESIDES = 256 * MIB;
/** GiB where a browser does not tell; most do not. */
const ASSUMED_MEMORY = 4;

/**
 * @param cores What the browser says that the machine has.
 * @throws WebtuneError `invalidOption` for what is no number of workers.
 */
export function workersFor(choice: WorkerChoice, cores: number | undefined): number {
  if (choice === "auto") return Math.min(MOST, Math.max(1, (cores ?? 1) - 1));
  if (!(Number.isInteger(choice) && choice >= 1 && choice <= 64))
    throw optionError("workers", `expected "auto" or a whole number from 1 to 64, got ${choice}`);
  return choice;
}

/**
 * How many more engines hold this model in half of the machine's memory, of at most `most`.
 *
 * @param enough Whether a person asked for all of them. @param deviceMemory `navigator.deviceMemory`, in GiB.
 */
export function othersWithRoom(
  files: readonly Pick<SourceFile, "size">[],
  most: number,
  enough: boolean,
  deviceMemory: number | undefined,
): number {
  if (enough) return most;
  const model = files.reduce((sum, { size }) => sum + size, 0);
  const room = ((deviceMemory ?? ASSUMED_MEMORY) * 1024 * MIB) / 2;
  const engines = Math.floor(room / (2 * model + BESIDES));
  return Math.max(0, Math.min(most, engines - 1));
}
