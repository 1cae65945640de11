/**
 * The worker's script: messages of `link.ts` to `EngineHost` and back. The WebAssembly engine lives in this worker alone.
 */

// Static, because bundlers refuse dynamic imports in workers under their default settings.
import * as glue from "../wasm/webtune.js";
import type { EngineExports } from "./engine.js";
import { EngineHost } from "./host.js";
import type { FromWorker, ToWorker } from "./messages.js";

/** The part of a dedicated worker's global scope that is used here; the DOM's types describe a page. */
interface Scope {
  postMessage(message: FromWorker, transfer: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent<ToWorker>) => void): void;
  addEventListener(type: "error", listener: (event: ErrorEvent) => void): void;
  addEventListener(type: "unhandledrejection", listener: (event: PromiseRejectionEvent) => void): void;
}

const scope = globalThis as unknown as Scope;
const browser: Navigator & { deviceMemory?: number } = navigator;

const host = new EngineHost({
  async instantiate() {
    await glue.default();
    return glue as unknown as EngineExports;
  },
  post: (message, transfer) => scope.postMessage(message, transfer ?? []),
  gpu: browser.gpu,
  deviceMemory: browser.deviceMemory,
});

scope.addEventListener("error", (event) => {
  // Handled here, so that the page hears of it once, with the panic's own words.
  event.preventDefault();
  host.fatal(event.error ?? event.message);
});
scope.addEventListener("unhandledrejection", (event) => host.stray(event.reason));
scope.addEventListener("message", (event) => host.receive(event.data));
