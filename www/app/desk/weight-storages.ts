/** The storage formats of frozen weights, in words. */
import type { WeightStorage } from "webtune";
import type { Segment } from "../ui/segments";

export const storageNames: Record<WeightStorage, string> = {
  f32: "32-bit",
  f16: "16-bit",
  int8: "8-bit",
  int4: "4-bit",
};

export const storages = Object.keys(storageNames) as WeightStorage[];

const help: Record<WeightStorage, string> = {
  f32: "The frozen weights exactly as float32. The most memory, the fastest on the processor.",
  f16: "Half of the weights' memory, hardly rounded; needs shader-f16 on a graphics card.",
  int8: "A quarter of the weights' memory, in blocks of 32 values with one scale each. Saves most with gradient checkpointing.",
  int4: "An eighth of the weights' memory on a graphics card, rounded coarsely; the processor's engine gives each 8 bits.",
};

export const storageSegments: Segment<WeightStorage>[] = storages.map((value) => ({
  value,
  label: storageNames[value],
  help: help[value],
}));
