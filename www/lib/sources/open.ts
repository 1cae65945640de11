/**
 * Finds a model's files, wherever they come from (files, a base address, a repository), to be read in ranges.
 */
import { fileError, messageOf, WebtuneError } from "../errors.js";
import { here } from "../machine.js";
import { ggufOf, isGguf, modelFiles, refuseOthers, requireWhole, stemOf } from "./gguf-file.js";
import { type Absent, HttpFile, probe, readBlob, type SourceFile } from "./http-file.js";
import { openRepository } from "./hub.js";
import type { KeptFolder, Notify } from "./kept-folder.js";
import { type Address, BRIEFLY, type Net, type OnBytes, PATIENCE, type Patience } from "./network.js";
import type { SettledSource } from "./settle.js";

/** A model folder before its files are understood. */
export interface OpenedSource {
  name: string;
  files: SourceFile[];
}

const INDEX = "model.safetensors.index.json";
const TOKENIZER = "tokenizer.json";
const REQUIRED = ["config.json", TOKENIZER];
/** What older folders have in its place: words and merges, or words alone. */
const VOCABULARIES = ["vocab.json", "merges.txt", "vocab.txt"];
/** Weights in other formats, which deserve a better word than "missing". */
const OTHER_WEIGHTS = ["pytorch_model.bin", "consolidated.safetensors", "tf_model.h5", "flax_model.msgpack"];
const SENTENCEPIECE = ["tokenizer.model", "spiece.model", "sentencepiece.bpe.model"];
const ADAPTER = "adapter_config.json";
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

export interface OpenOptions {
  /** Files that a web server is asked for besides, since it can't list its folder. */
  optional?: readonly string[];
  /** Where files are kept, if they are. */
  kept?: KeptFolder | undefined;
  notify?: Notify;
  patience?: Patience;
}

/**
 * Finds the files of a model; weights are not read yet. Where the server gives none and all were kept by an earlier load, those are
 * the ones.
 *
 * @throws WebtuneError `missingFile` or `readFailed` with address and status.
 */
export async function openSource(
  source: SettledSource,
  onBytes: OnBytes,
  { optional = CLASSIFIER_FILES, kept, notify, patience = PATIENCE }: OpenOptions = {},
): Promise<OpenedSource> {
  const net: Net = { onBytes, patience, cache: kept ? "no-store" : "default" };
  if ("files" in source) {
    const isMeant = modelFiles(
      source.files.map(({ path }) => path),
      "the folder",
    );
    const meant = source.files.filter(({ path }) => isMeant(path));
    return { name: source.name, files: meant.map(({ path, blob }) => blobFile(path, blob, onBytes)) };
  }
  if ("folder" in source) return openDisk(source, onBytes);
  const gguf = "url" in source ? ggufOf(source.url) : undefined;
  const needed = gguf === undefined ? [...REQUIRED, ...optional] : [gguf];
  try {
    if ("repository" in source) return await openRepository(source, net, (paths) => usefulOf(paths, source), kept);
    if (gguf === undefined) return await openFolder(source, net, optional, kept);
    return await openGguf(source, gguf, net, kept);
  } catch (error) {
    const at = kept?.completeAt;
    const isKnown = kept && ("repository" in source || needed.every((path) => kept.knows(path)));
    if (!at || !isKnown || !(error instanceof WebtuneError) || !MAY_PASS.includes(error.code)) throw error;
    notify?.(
      `The files that were kept on ${DAY.format(at)} are used, because the server doesn't give them now: ${error.message}.`,
    );
    const name = ("url" in source && source.name) || kept.name;
    return { name, files: keptFiles(source, net, kept) };
  }
}

const MAY_PASS: readonly string[] = ["readFailed", "missingFile"];
const DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "long" });

function usefulOf(paths: readonly string[], { repository, file }: { repository: string; file?: string }): string[] {
  const howToName = "name one with `file`, or on the page and in the command as repository/file";
  const isMeant = modelFiles(paths, `the repository ${repository.trim()}`, { file, howToName });
  const wordless = !paths.some((path) => isMeant(path) && [TOKENIZER, "vocab.txt", "vocab.json"].includes(path));
  if (wordless && !paths.some((path) => isMeant(path) && isGguf(path))) {
    refuseSentencePiece(paths.find((path) => SENTENCEPIECE.includes(path)));
  }
  return paths.filter((path) => isMeant(path) && /\.(json|safetensors|txt|jinja|gguf)$/i.test(path));
}

/** Of a model whose server doesn't answer: whatever is not there whole is asked for at its old address, in vain or not. */
function keptFiles(
  source: Exclude<SettledSource, { files: unknown } | { folder: unknown }>,
  net: Net,
  kept: KeptFolder,
): HttpFile[] {
  const address = "url" in source ? addressOf(source.url) : undefined;
  return kept.files().map(({ path, version }) => {
    const gone = (): never => {
      throw fileError("readFailed", path, "it is not kept, and the hub can't be reached");
    };
    return new HttpFile(path, address ? () => address(path) : gone, net, { version, keeper: kept });
  });
}

function blobFile(path: string, blob: Blob, onBytes: OnBytes): SourceFile {
  return counted({ path, size: blob.size, read: (offset, length) => readBlob(path, blob, offset, length) }, onBytes);
}

/** A folder as if its files had been chosen one by one, or a GGUF file. */
async function openDisk(
  { folder, name: given }: { folder: string; name?: string },
  onBytes: OnBytes,
): Promise<OpenedSource> {
  const { disk } = here();
  if (!disk) throw new WebtuneError("invalidState", `${here().name} reads no path`);
  const { name, files } = await disk.open(folder);
  const isMeant = modelFiles(
    files.map(({ path }) => path),
    folder,
  );
  const meant = files.filter(({ path }) => isMeant(path)).map((file) => counted(file, onBytes));
  return { name: given ?? name, files: meant };
}

/** The file, whose reading is reported. */
function counted({ path, size, read }: SourceFile, onBytes: OnBytes): SourceFile {
  let loaded = 0;
  return {
    path,
    size,
    async read(offset, length) {
      const bytes = await read(offset, length);
      loaded = Math.min(size, loaded + length);
      onBytes(path, loaded, size);
      return bytes;
    },
  };
}

/** Words that only SentencePiece's own library reads. */
function refuseSentencePiece(path: string | undefined): void {
  if (path === undefined) return;
  throw fileError(
    "missingFile",
    TOKENIZER,
    `it is missing, and ${path} alone, SentencePiece's own form, is not read; ` +
      "AutoTokenizer.from_pretrained(folder).save_pretrained(folder) of transformers writes a tokenizer.json",
  );
}

/** Where a folder's files are, or a GGUF file is. */
function addressOf(url: string): (path: string) => Address {
  if (ggufOf(url) !== undefined) return () => ({ url });
  const base = folderOf(url);
  return (path) => ({ url: inside(base, path) });
}

function folderOf(url: string): URL {
  const base = new URL(url);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  return base;
}

async function openFolder(
  { url, name: given }: { url: string; name?: string },
  net: Net,
  wanted: readonly string[],
  kept: KeptFolder | undefined,
): Promise<OpenedSource> {
  const at = addressOf(url);
  const absent: string[] = [];
  const ask = async (path: string): Promise<HttpFile | Absent> => {
    const found = await look(path, at(path), net, kept);
    if (!(found instanceof HttpFile)) absent.push(path);
    return found;
  };
  const [required, optional, weights] = await inOrder([openRequired(ask), inOrder(wanted.map(ask)), openWeights(ask)]);
  const files = [...required, ...optional.filter((file) => file instanceof HttpFile), ...weights];
  const modules = files.find(({ path }) => path === "modules.json");
  if (modules) {
    const known = new Set(files.map(({ path }) => path));
    const configs = moduleConfigs(await readJson(modules)).filter((path) => !known.has(path));
    files.push(...(await inOrder(configs.map(ask))).filter((file) => file instanceof HttpFile));
  }
  const base = folderOf(url);
  const name = given ?? (decodeURIComponent(base.pathname.split("/").filter(Boolean).at(-1) ?? "") || base.host);
  await kept?.settle({ name, absent });
  return { name, files };
}

/** The model is this one file. */
async function openGguf(
  { url, name: given }: { url: string; name?: string },
  path: string,
  net: Net,
  kept: KeptFolder | undefined,
): Promise<OpenedSource> {
  requireWhole(path);
  const file = demand(path, await look(path, { url }, net, kept));
  const name = given ?? stemOf(path);
  await kept?.settle({ name, absent: [] });
  return { name, files: [file] };
}

async function look(
  path: string,
  address: Address,
  net: Net,
  kept: KeptFolder | undefined,
): Promise<HttpFile | Absent> {
  const patience = kept?.completeAt ? BRIEFLY : net.patience;
  const found = await probe(path, address, net, { patience, keeper: kept, kept: kept?.whole(path) });
  if (found instanceof HttpFile) kept?.expect(path, found.version, address);
  return found;
}

/** `Promise.all`, but of several failures the first in this order is thrown, whichever answer came first: the same folder is refused in the same words. */
async function inOrder<T extends readonly unknown[]>(asked: T): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const answers = await Promise.allSettled(asked);
  const failed = answers.find((answer) => answer.status === "rejected");
  if (failed) throw failed.reason;
  return Promise.all(asked) as Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }>;
}

/**
 * The address of a file in a folder, with the folder's query: it may hold a signature.
 *
 * @throws WebtuneError `invalidFile` for a path that leads elsewhere, to which the query would go too.
 */
function inside(base: URL, path: string): string {
  const spelt = path.split("/").map(encodeURIComponent).join("/");
  const file = URL.canParse(spelt, base) ? new URL(spelt, base) : undefined;
  // By where it leads, not by how it is spelt: "../", "/", "//host/" and "%2e%2e/" are all ways out.
  if (file?.origin !== base.origin || !file.pathname.startsWith(base.pathname)) {
    throw fileError("invalidFile", path, "expected a file inside the model's folder");
  }
  file.search = base.search;
  return file.href;
}

/** config.json, and tokenizer.json or the files that it can be made of. */
async function openRequired(ask: (path: string) => Promise<HttpFile | Absent>): Promise<HttpFile[]> {
  const [config, tokenizer] = await inOrder([ask("config.json"), ask(TOKENIZER)]);
  if (!(config instanceof HttpFile)) await refuseAdapter(ask);
  const needed = [demand("config.json", config)];
  if (tokenizer instanceof HttpFile) return [...needed, tokenizer];
  const found = (await inOrder(VOCABULARIES.map(ask))).filter((file) => file instanceof HttpFile);
  const has = (path: string) => found.some((file) => file.path === path);
  if (has("vocab.txt") || (has("vocab.json") && has("merges.txt"))) return [...needed, ...found];
  for (const path of SENTENCEPIECE) {
    if ((await ask(path)) instanceof HttpFile) refuseSentencePiece(path);
  }
  return [...needed, demand(TOKENIZER, tokenizer)];
}

/** A folder without a configuration may be an adapter's. */
async function refuseAdapter(ask: (path: string) => Promise<HttpFile | Absent>): Promise<void> {
  const settings = await ask(ADAPTER);
  if (!(settings instanceof HttpFile)) return;
  const read = await readJson(settings);
  const base = isRecord(read) ? read.base_model_name_or_path : undefined;
  const isNamed = typeof base === "string" && base !== "";
  const load = isNamed ? base : "the model that it was trained on";
  throw fileError(
    "invalidFile",
    ADAPTER,
    `this is a PEFT adapter${isNamed ? ` of ${base}` : ""}, not a model: load ${load}, then import this adapter`,
  );
}

/** One file of weights, or the shards that an index names. */
async function openWeights(ask: (path: string) => Promise<HttpFile | Absent>): Promise<HttpFile[]> {
  const single = await ask("model.safetensors");
  if (single instanceof HttpFile) return [single];
  const index = await ask(INDEX);
  if (index instanceof HttpFile) {
    const shards = await inOrder(shardNames(await readJson(index)).map(async (path) => demand(path, await ask(path))));
    return [index, ...shards];
  }
  for (const path of OTHER_WEIGHTS) {
    if ((await ask(path)) instanceof HttpFile) refuseOthers([path], "the folder");
  }
  return [demand("model.safetensors", single)];
}

function demand(path: string, found: HttpFile | Absent): HttpFile {
  if (found instanceof HttpFile) return found;
  const code = found.status === 404 || found.status === 410 ? "missingFile" : "readFailed";
  throw new WebtuneError(code, `${path} is needed and was not found: ${found.detail}`, { file: path });
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
