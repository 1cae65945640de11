/** Settings for the whole page, made before anything is loaded. */
import { optionError } from "./errors.js";
import { here } from "./machine.js";
import { pageAddress } from "./sources/settle.js";
import { startWorkersWith } from "./worker/link.js";

export interface Configuration {
  /**
   * The folder on the page's own server that has the package's worker scripts, `pkg/worker/` with all of `pkg` around it. Only for bundlers
   * that leave `new Worker(new URL(...))` as it is, such as esbuild: copy the package's folder `pkg` beside your bundle, and give
   * `"pkg/worker/"`. Relative addresses are the page's.
   */
  workerUrl: string | URL;
}

/** @throws WebtuneError `invalidOption` for what is no address, and in Node, which starts no scripts from addresses. */
export function configure({ workerUrl }: Configuration): void {
  if (here().disk) throw optionError("workerUrl", `${here().name} starts the workers of the package itself`);
  let folder: URL;
  try {
    folder = new URL(workerUrl, pageAddress());
  } catch {
    throw optionError("workerUrl", `expected an address, got "${workerUrl}"`);
  }
  if (!folder.pathname.endsWith("/")) folder.pathname += "/";
  startWorkersWith(
    (_, module) => new Worker(new URL(`${module}-worker.js`, folder), { type: "module", name: `webtune-${module}` }),
  );
}
