/**
 * Finds WebGPU for Node: the optional package `webgpu`, which is Dawn, the WebGPU of Chromium.
 */
// By the module's own name: bundlers would look for the package behind a bare `createRequire`, and warn where it isn't installed.
import module from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { GpuLike } from "../device.js";

const NAME = "webgpu";

/** Its module's address; next to this package, or where the program was started. */
export function findDawn(): string | undefined {
  for (const from of [import.meta.url, pathToFileURL(join(process.cwd(), "program.js")).href]) {
    try {
      return pathToFileURL(module.createRequire(from).resolve(NAME)).href;
    } catch {
      // Not there: the next place may have it.
    }
  }
  return undefined;
}

/** Puts the names of WebGPU into this thread's global scope; undefined where the package isn't installed. */
export async function openDawn(): Promise<GpuLike | undefined> {
  const found = findDawn();
  if (found === undefined) return undefined;
  try {
    const { create, globals } = (await import(/* webpackIgnore: true */ found)) as {
      create(flags: string[]): GpuLike;
      globals: object;
    };
    Object.assign(globalThis, globals);
    return create([]);
  } catch (error) {
    // Without a binary for this platform, or a library of it: told once somebody asks for an adapter.
    return { requestAdapter: () => Promise.reject(error) };
  }
}
