/**
 * Finds the files of an exported classifier in a folder or a zip.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, join, posix } from "node:path";
import { unzipSync } from "../vendor/zip.js";
import type { ExportedFile } from "../worker/engine.js";
import { Failure } from "./failure.js";
import { readFolder } from "./files.js";

/** One of them is in every export, and says where its folder begins. */
const MARKS = ["labels.json", "adapter_config.json"];

/** @param path Absolute. @param given As it was typed. */
export function readAdapter(path: string, given: string): ExportedFile[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new Failure(`--adapter: there is no folder or zip ${given}`);
  const files = found.isDirectory() ? inFolder(path) : inZip(path, given);
  if (files.some(({ path }) => MARKS.includes(path))) return files;
  throw new Failure(`--adapter: ${given} holds neither ${MARKS.join(" nor ")}, so it is no exported adapter`);
}

/** What a command has written may be named as a whole: its folder `adapter` is taken. */
function inFolder(path: string): ExportedFile[] {
  const folder = [path, join(path, "adapter")].find((one) => MARKS.some((mark) => existsSync(join(one, mark))));
  return folder === undefined ? [] : readFolder(folder);
}

function inZip(path: string, given: string): ExportedFile[] {
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(readFileSync(path), { filter: ({ name }) => !/^__MACOSX\/|\/$/.test(name) });
  } catch (error) {
    throw new Failure(`--adapter: ${given} cannot be read as a zip (${(error as Error).message})`);
  }
  const [root = "."] = Object.keys(files)
    .filter((name) => MARKS.includes(basename(name)))
    .map((name) => posix.dirname(name))
    .sort((a, b) => a.split("/").length - b.split("/").length);
  return Object.entries(files)
    .map(([name, bytes]) => ({ path: posix.relative(root, name), bytes }))
    .filter(({ path }) => !path.startsWith("../"));
}
