/**
 * Builds the package variants of wasm-pack.toml: each one's WebAssembly and glue in its out-dir.
 * `npm run build:wasm`; a build whose inputs have not changed is skipped.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { cache, root, targetDir } from "./cache.mjs";
import { ask, Failure, say, script, show, showPackage } from "./run.mjs";
import { setup } from "./setup.mjs";
import { hashOf, isFresh, writeStamp } from "./stamp.mjs";

const WASM_TARGET = "wasm32-unknown-unknown";
const KEPT_RESULTS = 8;

/** @typedef {"people" | "benchmarks"} Users */
/** @typedef {{ for: string, name: string, target: string, profile: string, features: string[], outDir: string, wasmOpt: string[] }} Variant */

/** @returns {Promise<Variant[]>} */
export async function readVariants() {
  const { parse } = await import("smol-toml");
  const read = /** @type {{ package?: Record<string, unknown>[], "wasm-opt"?: unknown }} */ (
    parse(readFileSync(join(root, "wasm-pack.toml"), "utf8"))
  );
  if (!read.package?.length) throw new Failure("wasm-pack.toml: expected at least one [[package]], found none");
  const wasmOpt = texts("wasm-pack.toml: wasm-opt", read["wasm-opt"]);
  return read.package.map((entry, index) => ({ ...readVariant(entry, index), wasmOpt }));
}

/** @param {string} where @param {unknown} value @returns {string[]} */
function texts(where, value) {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw new Failure(`${where}: expected a list of texts, found ${JSON.stringify(value)}`);
}

/** @param {Record<string, unknown>} entry @param {number} index @returns {Omit<Variant, "wasmOpt">} */
function readVariant(entry, index) {
  const where = `wasm-pack.toml, package ${index + 1}`;
  const known = ["for", "name", "target", "profile", "features", "out-dir"];
  const unknown = Object.keys(entry).find((key) => !known.includes(key));
  if (unknown) throw new Failure(`${where}: ${unknown} is not one of ${known.join(", ")}`);
  const text = (/** @type {string} */ key) => {
    const value = entry[key];
    if (typeof value !== "string")
      throw new Failure(`${where}: ${key}: expected a text, found ${JSON.stringify(value)}`);
    return value;
  };
  return {
    for: text("for"),
    name: text("name"),
    target: text("target"),
    profile: text("profile"),
    features: texts(`${where}: features`, entry.features),
    outDir: resolve(root, text("out-dir")),
  };
}

const mib = (/** @type {number} */ bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** The sizes of a WebAssembly file as a server would send it. @param {string} file */
export function sizesOf(file) {
  const bytes = readFileSync(file);
  return { wasmBytes: bytes.length, wasmGzipBytes: gzipSync(bytes, { level: 9 }).length };
}

/** @param {Variant} variant @param {string} file */
async function optimise({ wasmOpt, outDir }, file) {
  const store = join(cache, "wasm-opt");
  mkdirSync(store, { recursive: true });
  // By content: a fresh clone of the same sources gives the same input, and this step takes minutes.
  const kept = join(store, `${hashOf([file], [...wasmOpt, toolVersion("binaryen")])}.wasm`);
  if (!existsSync(kept)) {
    say(`optimising ${basename(outDir)} with wasm-opt ${wasmOpt[0] ?? ""} (minutes, without output)`);
    const partial = `${kept}.${process.pid}`;
    await showPackage("binaryen/bin/wasm-opt", [...wasmOpt, file, "-o", partial]);
    renameSync(partial, kept);
  }
  copyFileSync(kept, file);
  const times = readdirSync(store).map((entry) => ({ entry, time: statSync(join(store, entry)).mtimeMs }));
  for (const { entry } of times.sort((a, b) => b.time - a.time).slice(KEPT_RESULTS)) rmSync(join(store, entry));
}

/** @param {string} name */
const toolVersion = (name) =>
  JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8")).version;

/** What the variants are built from. */
function sourceHash() {
  const inputs = ["src", "Cargo.toml", "Cargo.lock", ".cargo", "wasm-pack.toml"];
  const words = [ask("rustc", ["--version"]) ?? "", ask("wasm-bindgen", ["--version"]) ?? "", toolVersion("binaryen")];
  return hashOf(inputs, words);
}

/** @param {Variant} variant */
const stampOf = ({ outDir }) => join(outDir, ".stamp");

/** @param {Variant} variant @param {string} hash */
function isBuilt(variant, hash) {
  const { name, outDir } = variant;
  const outputs = [`${name}.js`, `${name}.d.ts`, `${name}_bg.wasm`].map((file) => join(outDir, file));
  return isFresh(stampOf(variant), hash, outputs);
}

/** @param {Variant} variant @param {string} hash of what it is built from */
async function build(variant, hash) {
  const { name, target, profile, features, outDir } = variant;
  if (isBuilt(variant, hash)) return;

  const title = `the WebAssembly module ${basename(outDir)}`;
  say(`building ${title} (many minutes the first time)`);
  const wanted = features.length > 0 ? ["--features", features.join(",")] : [];
  await show("cargo", ["build", "--lib", "--target", WASM_TARGET, "--profile", profile, ...wanted]);
  const built = join(targetDir, WASM_TARGET, profile === "dev" ? "debug" : profile, `${name}.wasm`);
  if (!existsSync(built)) throw new Failure(`cargo build: expected ${built}, found no such file`);

  rmSync(outDir, { recursive: true, force: true });
  const trimmed = ["--remove-name-section", "--remove-producers-section"];
  await show("wasm-bindgen", ["--target", target, "--out-dir", outDir, "--out-name", name, ...trimmed, built]);
  const file = join(outDir, `${name}_bg.wasm`);
  const before = statSync(file).size;
  await optimise(variant, file);
  const { wasmBytes, wasmGzipBytes } = sizesOf(file);
  say(`${title}: ${mib(wasmBytes)} (${mib(before)} before wasm-opt), ${mib(wasmGzipBytes)} with gzip`);
  writeStamp(stampOf(variant), hash);
}

/** @param {Variant} variant */
const hasWebgpu = ({ features }) => features.includes("webgpu");

/** Builds the variants for these users that are not fresh; gives the variants. @param {Users} users */
export async function ensureWasm(users = "people") {
  const variants = (await readVariants()).filter((variant) => variant.for === users);
  const hash = sourceHash();
  for (const variant of variants) await build(variant, hash);
  return variants;
}

/** Builds the CPU engine's module alone if the other is not fresh either. Gives whether the other still has to be built. */
export async function ensureFirstWasm() {
  const variants = (await readVariants()).filter((variant) => variant.for === "people");
  const hash = sourceHash();
  if (variants.filter(hasWebgpu).every((variant) => isBuilt(variant, hash))) return false;
  for (const variant of variants) if (!hasWebgpu(variant)) await build(variant, hash);
  return true;
}

script(import.meta.url, async () => {
  await setup();
  await ensureWasm();
  say("the WebAssembly is built");
});
