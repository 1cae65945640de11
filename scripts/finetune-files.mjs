/**
 * Writes exported files, portion by portion, to a folder that holds nothing of an earlier run.
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { Failure } from "./run.mjs";

/** A folder that holds one of these is an export of an earlier run, and nothing of a person's own. */
const EXPORT_MARKS = ["labels.json", "adapter_config.json", "model.safetensors.index.json"];
/** Weights that a reader would take for this run's; a folder of them alone may be a person's own, so that nothing else goes. */
const WEIGHTS = /^model(-\d+-of-\d+)?\.safetensors$|\.gguf$/;

/**
 * Takes the portions of an export's files, in order, and puts them into the folder.
 * @param {string} folder
 * @returns {(portion: { path: string, at: number, base64: string }) => void}
 */
export function folderWriter(folder) {
  let begun = false;
  return ({ path, at, base64 }) => {
    const file = join(folder, path);
    if (!file.startsWith(folder + sep)) throw new Failure(`export: the path ${path} leads out of its folder`);
    // Another method leaves other files: what an earlier run left would be taken for this one's.
    if (!begun) clear(folder);
    begun = true;
    mkdirSync(dirname(file), { recursive: true });
    const bytes = Buffer.from(base64, "base64");
    if (at === 0) writeFileSync(file, bytes);
    else appendFileSync(file, bytes);
  };
}

/** @param {string} folder */
function clear(folder) {
  if (!existsSync(folder)) return;
  if (EXPORT_MARKS.some((name) => existsSync(join(folder, name)))) {
    rmSync(folder, { recursive: true });
    return;
  }
  for (const name of readdirSync(folder)) if (WEIGHTS.test(name)) rmSync(join(folder, name));
}
