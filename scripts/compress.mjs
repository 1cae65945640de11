/**
 * Compresses a built folder's files, each beside itself (`.br`, `.gz`), where static servers that send what was compressed before look for them.
 * What was compressed once is kept: a module takes a minute.
 */
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { cache } from "./cache.mjs";

/** A model's files are read in parts. */
const KINDS = [".css", ".html", ".js", ".svg", ".wasm"];
/** Smaller ones fit into a packet or two as they are. */
const LEAST_BYTES = 1024;
const KEPT_RESULTS = 100;

/** By the end of a name. @type {Record<string, (bytes: Buffer) => Promise<Buffer>>} */
const WAYS = {
  ".br": (bytes) =>
    promisify(brotliCompress)(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
        [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }),
  ".gz": (bytes) => promisify(gzip)(bytes, { level: constants.Z_BEST_COMPRESSION }),
};

/** @param {string} folder */
export async function compress(folder) {
  const store = join(cache, "compressed");
  mkdirSync(store, { recursive: true });
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));
  const fits = files.filter((file) => KINDS.includes(extname(file)) && statSync(file).size >= LEAST_BYTES);
  await Promise.all(fits.flatMap((file) => Object.keys(WAYS).map((way) => beside(store, file, way))));
  const kept = readdirSync(store).map((name) => ({ name, time: statSync(join(store, name)).mtimeMs }));
  for (const { name } of kept.sort((a, b) => b.time - a.time).slice(KEPT_RESULTS)) rmSync(join(store, name));
}

/** @param {string} store @param {string} file @param {string} way */
async function beside(store, file, way) {
  const bytes = readFileSync(file);
  const kept = join(store, `${createHash("sha256").update(bytes).digest("hex")}${way}`);
  const now = new Date();
  try {
    utimesSync(kept, now, now);
  } catch {
    const partial = `${kept}.${process.pid}`;
    writeFileSync(partial, await /** @type {typeof WAYS[string]} */ (WAYS[way])(bytes));
    renameSync(partial, kept);
  }
  copyFileSync(kept, `${file}${way}`);
}
