/** What Node answers differently from a browser. */
import { availableParallelism } from "node:os";
import type { Machine } from "../machine.js";
import { findDawn } from "./dawn.js";
import { disk } from "./disk.js";

export const node: Machine = {
  name: "Node",
  withoutGpu: "the package webgpu, which brings it to Node, is not installed",
  gpuAdvice:
    "Install that package next to webtune (npm install webgpu) on a machine with a graphics card and its driver,",
  unkept: "In Node no models are kept: this one will be downloaded again. Give a downloaded one as a folder.",
  cores: availableParallelism,
  // A worker that finds no adapter has the CPU engine too.
  autoModule: () => (findDawn() === undefined ? "cpu" : "webgpu"),
  disk,
};
