/**
 * The package's entry in Node: the same names, with the engine in a worker thread and models on the disk.
 */
import { runOn } from "../machine.js";
import { startWorkersWith } from "../worker/link.js";
import { node } from "./machine.js";
import { ThreadWorker } from "./thread.js";

runOn(node);
startWorkersWith((_, module) => new ThreadWorker(module));

export * from "../index.js";
