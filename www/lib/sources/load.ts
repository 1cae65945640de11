/**
 * One load from its start to its end: the source is opened with what is kept of it, read, and closed again.
 */
import { fileError, isFatal, messageOf, WebtuneError } from "../errors.js";
import { isGguf } from "./gguf-file.js";
import type { SourceFile } from "./http-file.js";
import { KeptFolder, type Notify } from "./kept-folder.js";
import type { OnBytes } from "./network.js";
import { type OpenedSource, openSource } from "./open.js";
import type { SettledSource } from "./settle.js";

export interface LoadParts {
  keep: boolean;
  /** As `openSource` has it. */
  optional: readonly string[];
  onBytes: OnBytes;
  notify: Notify;
}

/** What `read` makes of the source's files; after that they may be gone. */
export async function loadFrom<T>(
  source: SettledSource,
  { keep, optional, onBytes, notify }: LoadParts,
  read: (opened: OpenedSource) => Promise<T>,
): Promise<T> {
  const kept = keep ? await KeptFolder.open(source, notify) : undefined;
  try {
    const { name, files } = await openSource(source, onBytes, { optional, kept, notify });
    const made = await inOwnWords(files, (told) => read({ name, files: told }));
    await kept?.finish();
    return made;
  } finally {
    await kept?.close();
  }
}

/**
 * The bytes of config.json alone.
 *
 * @param ggufConfig Makes them from a GGUF file's head.
 * @throws WebtuneError as `openSource`, and what `ggufConfig` throws.
 */
export async function readConfig(
  source: SettledSource,
  onBytes: OnBytes,
  ggufConfig: (file: SourceFile) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const kept = await KeptFolder.open(source, () => undefined, { readOnly: true });
  const { files } = await openSource(source, onBytes, { optional: [], kept });
  const [first] = files;
  if (first && isGguf(first.path)) return inOwnWords([first], ([file = first]) => ggufConfig(file));
  const config = files.find(({ path }) => path === "config.json");
  if (!config) throw fileError("missingFile", "config.json", "it is needed and was not found");
  return config.read(0, config.size);
}

/** The engine passes on what a file's error says, but not its code. */
async function inOwnWords<T>(files: readonly SourceFile[], work: (files: SourceFile[]) => Promise<T>): Promise<T> {
  const thrown: WebtuneError[] = [];
  const told = files.map((file) => ({
    path: file.path,
    size: file.size,
    async read(offset: number, length: number) {
      try {
        return await file.read(offset, length);
      } catch (error) {
        if (error instanceof WebtuneError) thrown.push(error);
        throw error;
      }
    },
  }));
  try {
    return await work(told);
  } catch (error) {
    const own = thrown.find(({ message }) => messageOf(error).includes(message));
    throw isFatal(error) ? error : (own ?? error);
  }
}
