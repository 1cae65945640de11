/**
 * A worker's script: messages of `link.ts` to `EngineHost` and back. The WebAssembly engine lives in this worker alone.
 */
import type { EngineExports } from "./engine.js";
import { EngineHost } from "./host.js";
import type { FromWorker, ToWorker } from "./messages.js";

/** Where messages go: the worker's owner, or a port. */
interface Outlet {
  postMessage(message: FromWorker, transfer: Transferable[]): void;
}

/** The part of a dedicated worker's global scope that is used here; the DOM's types describe a page. */
interface Scope extends Outlet {
  addEventListener(type: "message", listener: (event: MessageEvent<ToWorker>) => void): void;
  addEventListener(type: "error", listener: (event: ErrorEvent) => void): void;
  addEventListener(type: "unhandledrejection", listener: (event: PromiseRejectionEvent) => void): void;
}

const scope = globalThis as unknown as Scope;
const browser: Navigator & { deviceMemory?: number } = navigator;

let outlet: Outlet = scope;

/** What wasm-bindgen writes beside a module: its exports, and by default what starts it. */
export interface Glue {
  default(options?: { module_or_path: unknown }): Promise<unknown>;
}

/** Answers the page's calls with the engine of this module. */
export function serve(glue: Glue): void {
  const host = new EngineHost({
    async instantiate() {
      await glue.default();
      return glue as unknown as EngineExports;
    },
    post: (message, transfer) => outlet.postMessage(message, transfer ?? []),
    gpu: browser.gpu,
    deviceMemory: browser.deviceMemory,
  });
  scope.addEventListener("error", (event) => {
    // Handled here, so that the page hears of it once, with the panic's own words.
    event.preventDefault();
    host.fatal(event.error ?? event.message);
  });
  scope.addEventListener("unhandledrejection", (event) => host.stray(event.reason));
  scope.addEventListener("message", ({ data, ports: [port] }) => {
    if (data || !port) {
      host.receive(data);
      return;
    }
    // From here on the page talks through a port of its own, since the worker was started in another of its documents.
    outlet = port;
    port.onmessage = (event: MessageEvent<ToWorker>) => host.receive(event.data);
  });
}
