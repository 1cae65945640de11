/**
 * Reads folders of exported files, and writes them, piece by piece, to a folder that holds nothing of an earlier run.
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import type { ExportedFile } from "../worker/engine.js";
import { Failure } from "./failure.js";

/** A folder that holds one of these is an export of an earlier run, and nothing of a person's own. */
const EXPORT_MARKS = ["labels.json", "adapter_config.json", "model.safetensors.index.json"];
/** Weights that a reader would take for this run's; a folder of them alone may be a person's own, so that nothing else goes. */
const WEIGHTS = /^model(-\d+-of-\d+)?\.safetensors$|\.gguf$/;

/** Takes the pieces of an export's files, in order, and puts them into the folder; `at` is where a piece begins in its file. */
export function folderWriter(folder: string): (path: string, bytes: Uint8Array, at: number) => void {
  let begun = false;
  return (path, bytes, at) => {
    const file = join(folder, path);
    if (!file.startsWith(folder + sep)) throw new Failure(`export: the path ${path} leads out of its folder`);
    // Another method leaves other files: what an earlier run left would be taken for this one's.
    if (!begun) clear(folder);
    begun = true;
    mkdirSync(dirname(file), { recursive: true });
    if (at === 0) writeFileSync(file, bytes);
    else appendFileSync(file, bytes);
  };
}

function clear(folder: string): void {
  if (!existsSync(folder)) return;
  if (EXPORT_MARKS.some((name) => existsSync(join(folder, name)))) {
    rmSync(folder, { recursive: true });
    return;
  }
  for (const name of readdirSync(folder)) if (WEIGHTS.test(name)) rmSync(join(folder, name));
}

/** Every file below a folder, with `/` in its path. */
export function readFolder(folder: string): ExportedFile[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return { path: file.slice(folder.length + 1).replaceAll(sep, "/"), bytes: readFileSync(file) };
    });
}
