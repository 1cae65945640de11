/**
 * Finds a model's files, wherever they come from (files, a base address, a repository), to be read in ranges.
 */
import { fileError, messageOf, WebtuneError } from "../errors.js";
import { type Absent, type Address, HttpFile, type OnBytes, probe, readBlob, type SourceFile } from "./http-file.js";
import { openRepository } from "./hub.js";
import type { SettledSource } from "./settle.js";

/** A model folder before its files are understood. */
export interface OpenedSource {
  name: string;
  files: SourceFile[];
}

const INDEX = "model.safetensors.index.json";
const REQUIRED = ["config.json", "tokenizer.json"];
/** What a classifier's folder may have besides; of a language model the tokenizer's settings name what pads. */
export const CLASSIFIER_FILES = [
  "modules.json",
  "sentence_bert_config.json",
  "1_Pooling/config.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
];
/** What a language model's folder may have besides. */
export const LANGUAGE_FILES = [
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
  "generation_config.json",
];

/**
 * Finds the files of a model; weights are not read yet.
 *
 * @param optional Files that a web server is asked for besides, since it can't list its folder.
 * @throws WebtuneError `missingFile` or `readFailed` with address and status.
 */
export async function openSource(
  source: SettledSource,
  onBytes: OnBytes,
  optional: readonly string[] = CLASSIFIER_FILES,
): Promise<OpenedSource> {
  if ("files" in source) {
    requireSafetensors(
      source.files.map(({ path }) => path),
      "the folder",
    );
    return { name: source.name, files: source.files.map(({ path, blob }) => blobFile(path, blob, onBytes)) };
  }
  if ("url" in source) {
    const { name, files } = await openFolder(source.url, onBytes, optional);
    return { name: source.name ?? name, files };
  }
  const opened = await openRepository(source, onBytes);
  requireSafetensors(
    opened.files.map(({ path }) => path),
    `the repository ${opened.name}`,
  );
  return { name: opened.name, files: opened.files.filter(({ path }) => /\.(json|safetensors|txt|jinja)$/.test(path)) };
}

function blobFile(path: string, blob: Blob, onBytes: OnBytes): SourceFile {
  let loaded = 0;
  return {
    path,
    size: blob.size,
    async read(offset, length) {
      const bytes = await readBlob(path, blob, offset, length);
      loaded = Math.min(blob.size, loaded + length);
      onBytes(path, loaded, blob.size);
      return bytes;
    },
  };
}

/** Pickled and other weights deserve a better word than "missing". */
function requireSafetensors(paths: string[], where: string): void {
  if (paths.some((path) => path.endsWith(".safetensors"))) return;
  const other = paths.find((path) => /\.(bin|pt|pth|ckpt|h5|msgpack|onnx|gguf)$/.test(path));
  if (other === undefined) return;
  throw new WebtuneError(
    "missingFile",
    `model.safetensors is missing; ${where} has ${other}, but safetensors is needed: ` +
      "save the model with save_pretrained(..., safe_serialization=True) of transformers",
    { file: "model.safetensors" },
  );
}

async function openFolder(url: string, onBytes: OnBytes, wanted: readonly string[]): Promise<OpenedSource> {
  const base = new URL(url);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const at = (path: string): Address => ({ url: inside(base, path) });
  const ask = (path: string): Promise<HttpFile | Absent> => probe(path, at(path), onBytes);
  const [required, optional, weights] = await Promise.all([
    Promise.all(REQUIRED.map(async (path) => demand(path, await ask(path)))),
    Promise.all(wanted.map(ask)),
    openWeights(ask),
  ]);
  const files = [...required, ...optional.filter((file) => file instanceof HttpFile), ...weights];
  const modules = files.find(({ path }) => path === "modules.json");
  if (modules) {
    const known = new Set(files.map(({ path }) => path));
    const configs = moduleConfigs(await readJson(modules)).filter((path) => !known.has(path));
    files.push(...(await Promise.all(configs.map(ask))).filter((file) => file instanceof HttpFile));
  }
  const name = decodeURIComponent(base.pathname.split("/").filter(Boolean).at(-1) ?? "") || base.host;
  return { name, files };
}

/**
 * The address of a file in a folder, with the folder's query: it may hold a signature.
 *
 * @throws WebtuneError `invalidFile` for a path that leads elsewhere, to which the query would go too.
 */
function inside(base: URL, path: string): string {
  const file = new URL(path.split("/").map(encodeURIComponent).join("/"), base);
  // By where it leads, not by how it is spelt: "../", "/", "//host/" and "%2e%2e/" are all ways out.
  if (file.origin !== base.origin || !file.pathname.startsWith(base.pathname)) {
    throw fileError("invalidFile", path, "expected a file inside the model's folder");
  }
  file.search = base.search;
  return file.href;
}

/** One file of weights, or the shards that an index names. */
async function openWeights(ask: (path: string) => Promise<HttpFile | Absent>): Promise<HttpFile[]> {
  const single = await ask("model.safetensors");
  if (single instanceof HttpFile) return [single];
  const index = await ask(INDEX);
  if (index instanceof HttpFile) {
    const shards = await Promise.all(
      shardNames(await readJson(index)).map(async (path) => demand(path, await ask(path))),
    );
    return [index, ...shards];
  }
  const pickled = await ask("pytorch_model.bin");
  if (pickled instanceof HttpFile) requireSafetensors([pickled.path], "the folder");
  return [demand("model.safetensors", single)];
}

function demand(path: string, found: HttpFile | Absent): HttpFile {
  if (found instanceof HttpFile) return found;
  const code = found.status === 404 || found.status === 410 ? "missingFile" : "readFailed";
  throw new WebtuneError(code, `${path} is needed and was not found: ${found.detail}`, { file: path });
}

/**
 * The bytes of config.json alone.
 *
 * @throws WebtuneError as `openSource`.
 */
export async function readConfig(source: SettledSource, onBytes: OnBytes): Promise<Uint8Array> {
  const { files } = await openSource(source, onBytes, []);
  const config = files.find(({ path }) => path === "config.json");
  if (!config) throw fileError("missingFile", "config.json", "it is needed and was not found");
  return config.read(0, config.size);
}

async function readJson(file: SourceFile): Promise<unknown> {
  const bytes = await file.read(0, file.size);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw fileError("invalidFile", file.path, `expected JSON (${messageOf(error)})`);
  }
}

function shardNames(index: unknown): string[] {
  const map = isRecord(index) ? index.weight_map : undefined;
  if (!isRecord(map)) throw fileError("invalidFile", INDEX, "expected an object weight_map, found none");
  const names = new Set<string>();
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== "string" || file.split("/").includes("..")) {
      throw fileError("invalidFile", INDEX, `${tensor}: expected a file name, got ${JSON.stringify(file)}`);
    }
    names.add(file);
  }
  return [...names];
}

/** `config.json` of every module that sentence-transformers keeps in a folder of its own. */
function moduleConfigs(modules: unknown): string[] {
  if (!Array.isArray(modules)) return [];
  const folders = modules.map((module) => (isRecord(module) ? module.path : undefined));
  return folders
    .filter((folder): folder is string => typeof folder === "string" && folder !== "" && !folder.includes(".."))
    .map((folder) => `${folder}/config.json`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
