/**
 * Turns a `ModelSource` as the page gives it into a form that a worker can be sent.
 * Not in `open.ts`, so that a page doesn't carry the code that reads files.
 */
import { fileError, optionError } from "../errors.js";
import { here } from "../machine.js";
import { isGguf, stemOf } from "./gguf-file.js";

/** Where a model comes from. */
export type ModelSource =
  /**
   * Files of one folder, or one GGUF file. A `File`'s path is `webkitRelativePath` without its first folder, or its name. `name` becomes
   * PEFT's `base_model_name_or_path`: give the repository's id where the folder is a copy of one. Default: the folder's name.
   */
  | { files: Iterable<File> | Iterable<{ path: string; blob: Blob }>; name?: string }
  /** A folder on any web server: `url + "config.json"` and so on; or a GGUF file, whose address's path ends in `.gguf`. `name`: as above. */
  | { url: string; name?: string }
  /**
   * A folder, or a GGUF file, by its path or `file:` address, in Node alone: a browser gives a page no files by their paths. `name`: as above.
   */
  | { folder: string; name?: string }
  /**
   * A Hugging Face repository, `sentence-transformers/all-MiniLM-L6-v2`. `file` names a GGUF file in it: needed where there are several,
   * or safetensors too.
   */
  | { repository: string; file?: string; revision?: string; hubUrl?: string; accessToken?: string };

/** A `ModelSource` that survives structured cloning: paths settled, addresses absolute. */
export type SettledSource =
  | { files: { path: string; blob: Blob }[]; name: string }
  | { url: string; name?: string }
  | { folder: string; name?: string }
  | { repository: string; file?: string; revision?: string; hubUrl?: string; accessToken?: string };

/**
 * Settles in the page what the worker can't: paths of `File`s, which cloning strips, and relative addresses.
 *
 * @throws WebtuneError `invalidOption` for a source of no known kind, `invalidFile` for two files of one path.
 */
export function settleSource(source: ModelSource, base: string | undefined): SettledSource {
  if ("files" in source) return settleFiles(source.files, source.name);
  if ("folder" in source) return { ...source, folder: onDisk(source.folder, "folder") };
  if ("url" in source) {
    const { url, ...named } = source;
    if (here().disk && /^file:/i.test(url)) return { ...named, folder: onDisk(url, "url") };
    return { ...source, url: absolute(url, base, "url") };
  }
  if ("repository" in source) {
    const { file } = source;
    if (file !== undefined && !isGguf(file)) throw optionError("file", `expected a .gguf file, got "${file}"`);
    if (source.hubUrl === undefined) return { ...source };
    return { ...source, hubUrl: absolute(source.hubUrl, base, "hubUrl") };
  }
  throw optionError("source", `expected files, url${here().disk ? ", folder" : ""} or repository`);
}

function onDisk(path: string, option: string): string {
  const { disk, name } = here();
  if (!disk) throw optionError(option, `${name} reads no path; give the files, an address or a repository`);
  return disk.resolve(path);
}

function settleFiles(given: Iterable<File | { path: string; blob: Blob }>, name: string | undefined): SettledSource {
  const files: { path: string; blob: Blob }[] = [];
  let folder = "";
  for (const item of given) {
    if ("blob" in item) {
      files.push({ path: item.path.replaceAll("\\", "/").replace(/^(\.?\/)+/, ""), blob: item.blob });
      continue;
    }
    const [first = "", ...inside] = (item.webkitRelativePath || "").split("/");
    if (inside.length > 0) folder ||= first;
    files.push({ path: inside.length > 0 ? inside.join("/") : item.name, blob: item });
  }
  const seen = new Set<string>();
  for (const { path } of files) {
    if (seen.has(path)) throw fileError("invalidFile", path, "expected one file of this path, got two");
    seen.add(path);
  }
  const only = files.length === 1 ? files[0]?.path : undefined;
  return { files, name: name || folder || (only !== undefined && isGguf(only) ? stemOf(only) : "model") };
}

/** The page's address: relative ones mean the page's, not the worker's. */
export function pageAddress(): string | undefined {
  if (typeof document !== "undefined") return document.baseURI;
  return typeof location === "undefined" ? undefined : location.href;
}

function absolute(url: string, base: string | undefined, option: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url, base);
  } catch {
    throw optionError(option, `expected a web address, got "${url}"`);
  }
  if (!/^(https?|blob|data):$/.test(parsed.protocol)) {
    throw optionError(option, `expected an http or https address, got "${url}"`);
  }
  return parsed.href;
}
