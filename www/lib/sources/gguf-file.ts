/**
 * Tells GGUF files from others by their names, and which one of a folder is meant. A GGUF file is a model by itself: weights, configuration,
 * tokenizer and chat template.
 */
import { fileError, toWebtuneError, WebtuneError } from "../errors.js";

export const isGguf = (path: string): boolean => /\.gguf$/i.test(path);

/** Weights in the layout of Llama's authors, which transformers converts. */
const CONSOLIDATED = /(^|\/)consolidated[^/]*\.safetensors$/;

/** The file's name without its ending. */
export const stemOf = (path: string): string => (path.split("/").at(-1) ?? path).replace(/\.gguf$/i, "");

/** The path of an address that is a GGUF file's, with its name; undefined for a folder's. */
export function ggufOf(url: string): string | undefined {
  const { protocol, pathname } = new URL(url);
  if (!/^https?:$/.test(protocol) || !isGguf(pathname)) return undefined;
  const name = pathname.split("/").at(-1) ?? "";
  try {
    return decodeURIComponent(name);
  } catch {
    // An escape that stands for nothing: the name is as good as any other.
    return name;
  }
}

/**
 * Which of a folder's files make the model: a GGUF file alone, or safetensors with what is beside them. Where there are both,
 * safetensors are meant, because they are not rounded.
 *
 * @param where The folder, for errors. @param file The GGUF file that was asked for. @param howToName How one of several is named.
 * @throws WebtuneError `missingFile` where no weights can be read or `file` isn't there, `invalidFile` where several GGUF files might
 * be meant or the one is a part of a model.
 */
export function modelFiles(
  paths: readonly string[],
  where: string,
  { file, howToName = "choose one of them" }: { file?: string | undefined; howToName?: string } = {},
): (path: string) => boolean {
  const ggufs = paths.filter(isGguf);
  if (file !== undefined && !ggufs.includes(file)) {
    throw new WebtuneError("missingFile", `${file} is not in ${where}, which has ${listed(ggufs, "no GGUF files")}`, {
      file,
    });
  }
  if (file === undefined && paths.some((path) => path.endsWith(".safetensors") && !CONSOLIDATED.test(path))) {
    return (path) => !isGguf(path);
  }
  if (file === undefined && ggufs.length > 1) {
    const words = `expected one GGUF file, but ${where} has several: ${listed(ggufs, "")}; ${howToName}`;
    throw new WebtuneError("invalidFile", words);
  }
  const chosen = file ?? ggufs[0];
  if (chosen === undefined) {
    refuseOthers(paths, where);
    return () => true;
  }
  requireWhole(chosen);
  return (path) => path === chosen;
}

/** The error of an engine that wants a folder's files and got a GGUF file, in words that lead on. */
export function wantsFolder(error: unknown, files: readonly { path: string }[]): unknown {
  const file = files.map(({ path }) => path).find(isGguf);
  const { code, file: missing } = toWebtuneError(error);
  if (file === undefined || code !== "missingFile" || missing !== "config.json") return error;
  const words =
    "a classifier needs the folder that this GGUF file was made from (config.json, tokenizer.json, safetensors)";
  return new WebtuneError("unsupportedModel", `${file}: ${words}; a language model takes the file`, { file });
}

/** Parts are of no use one by one. @throws WebtuneError `invalidFile`. */
export function requireWhole(path: string): void {
  if (!/-\d{5}-of-\d{5}\.gguf$/i.test(path)) return;
  throw fileError("invalidFile", path, "it is one part of a model; join the parts with: llama-gguf-split --merge");
}

/** Pickled and other weights deserve a better word than "missing". @throws WebtuneError `missingFile`. */
export function refuseOthers(paths: readonly string[], where: string): void {
  const other = paths.find((path) => CONSOLIDATED.test(path) || /\.(bin|pt|pth|ckpt|h5|msgpack|onnx)$/.test(path));
  if (other === undefined) return;
  throw new WebtuneError(
    "missingFile",
    `model.safetensors is missing; ${where} has ${other}, but transformers' own safetensors or GGUF is needed: ` +
      "save the model with save_pretrained(...) of transformers",
    { file: "model.safetensors" },
  );
}

const MOST_LISTED = 20;

function listed(paths: readonly string[], none: string): string {
  if (paths.length === 0) return none;
  const more = paths.length - MOST_LISTED;
  return `${paths.slice(0, MOST_LISTED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
