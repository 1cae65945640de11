/**
 * What a browser and Node answer differently. The package is written for a browser; its entry for Node says the rest here, in the page's
 * place as in the worker.
 */
import type { EngineModule } from "./device.js";
import type { SourceFile } from "./sources/http-file.js";

/** Files by their paths, where a program may read them. */
export interface Disk {
  /** Absolute, from a path or a `file:` address. @throws WebtuneError `invalidOption` for an address of another computer. */
  resolve(path: string): string;
  /**
   * A folder's name and files, those of its folders included, or a file's own.
   *
   * @param path Absolute. @throws WebtuneError `missingFile`, `readFailed`.
   */
  open(path: string): Promise<{ name: string; files: SourceFile[] }>;
}

export interface Machine {
  /** What it is in the middle of a sentence. */
  readonly name: string;
  /** Why there is no WebGPU where nothing offers it; the second half of a sentence. */
  readonly withoutGpu: string;
  /** What helps who asked for WebGPU; the first half of a sentence. */
  readonly gpuAdvice: string;
  /** What is said to who wants models to be kept where none can be. */
  readonly unkept: string;
  /** How many cores there are, where that is known. */
  cores(): number | undefined;
  /** Which module serves the choice "auto"; without it what `navigator.gpu` says decides. */
  autoModule?(): EngineModule;
  readonly disk?: Disk;
}

let machine: Machine = {
  name: "the browser",
  withoutGpu: "this browser offers no WebGPU on this page",
  gpuAdvice: "Use a browser with WebGPU over https or localhost, turn on hardware acceleration,",
  unkept:
    "This browser keeps no models here (a private window, or a page without https): it will download this one again.",
  cores: () => globalThis.navigator?.hardwareConcurrency,
};

/** The machine that the package runs on. */
export const here = (): Machine => machine;

export function runOn(other: Machine): void {
  machine = other;
}
