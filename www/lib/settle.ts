/**
 * Enters: a `ModelSource` as the page gives it. Leaves: the same in a form that a worker can be sent.
 * Apart from `sources.ts`, so that a page doesn't carry the code that reads files.
 */
import type { SettledSource } from "./messages.js";
import { type ModelSource, WebtuneError } from "./protocol.js";

/**
 * Settles in the page what the worker can't: paths of `File`s, which cloning strips, and relative addresses.
 *
 * @throws WebtuneError `invalidOption` for a source of no known kind, `invalidFile` for two files of one path.
 */
export function settleSource(source: ModelSource, base: string | undefined): SettledSource {
  if ("files" in source) return settleFiles(source.files, source.name);
  if ("url" in source) return { ...source, url: absolute(source.url, base, "url") };
  if ("repository" in source) {
    if (source.hubUrl === undefined) return { ...source };
    return { ...source, hubUrl: absolute(source.hubUrl, base, "hubUrl") };
  }
  throw new WebtuneError("invalidOption", "source: expected files, url or repository");
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
    if (seen.has(path)) throw new WebtuneError("invalidFile", `${path}: expected one file of this path, got two`);
    seen.add(path);
  }
  return { files, name: name || folder || "model" };
}

function absolute(url: string, base: string | undefined, option: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url, base);
  } catch {
    throw new WebtuneError("invalidOption", `${option}: expected a web address, got "${url}"`);
  }
  if (!/^(https?|blob|data):$/.test(parsed.protocol)) {
    throw new WebtuneError("invalidOption", `${option}: expected an http or https address, got "${url}"`);
  }
  return parsed.href;
}
