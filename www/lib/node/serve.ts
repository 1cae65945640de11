/**
 * A worker thread's script: messages of `link.ts` to `EngineHost` and back, with the module that the thread was started for.
 */
import { readFile } from "node:fs/promises";
import { parentPort, workerData } from "node:worker_threads";
import type { EngineModule, GpuLike } from "../device.js";
import { runOn } from "../machine.js";
import type { EngineExports } from "../worker/engine.js";
import { EngineHost } from "../worker/host.js";
import type { Glue } from "../worker/serve.js";
import { openDawn } from "./dawn.js";
import { node } from "./machine.js";

const module = workerData as EngineModule;
const port = parentPort;
if (!port) throw new Error("expected to be started as a worker thread");

runOn(node);
const gpu: GpuLike | undefined = module === "webgpu" ? await openDawn() : undefined;
// What the engine's bindings look for where they are in a browser's worker.
Object.defineProperty(globalThis, "navigator", { value: { gpu, userAgent: "node" }, configurable: true });
Object.assign(globalThis, { WorkerGlobalScope: function WorkerGlobalScope() {}, self: globalThis });

const host = new EngineHost({
  async instantiate() {
    const folder = new URL(`../wasm/${module}/`, import.meta.url);
    const glue = (await import(new URL("webtune.js", folder).href)) as Glue;
    // Its own way is `fetch`, which in Node reads no files.
    await glue.default({ module_or_path: await readFile(new URL("webtune_bg.wasm", folder)) });
    return glue as unknown as EngineExports;
  },
  post: (message, transfer) => port.postMessage(message, transfer as ArrayBuffer[] | undefined),
  gpu,
});
process.on("uncaughtException", (error) => host.fatal(error));
process.on("unhandledRejection", (reason) => host.stray(reason));
port.on("message", (message) => host.receive(message));
