/**
 * Finds the files of a repository on the Hugging Face hub, or on a server that behaves like it, to be read in ranges.
 */
import { fileDownloadInfo, HubApiError, InvalidApiResponseFormatError, listFiles } from "@huggingface/hub";
import { fileError, optionError, toWebtuneError, WebtuneError } from "../errors.js";
import { type Address, HttpFile, type OnBytes, persist, shown } from "./http-file.js";
import { HUB } from "./reach.js";

export interface Repository {
  repository: string;
  revision?: string;
  hubUrl?: string;
  accessToken?: string;
}

/**
 * Lists a repository; a file's address is settled when it is first read.
 *
 * @throws WebtuneError `missingFile` where the repository or revision doesn't exist, `readFailed` where it is private,
 * gated or out of reach, `invalidOption` for an id or token of the wrong form.
 */
export async function openRepository(
  source: Repository,
  onBytes: OnBytes,
): Promise<{ name: string; files: HttpFile[] }> {
  const name = source.repository.trim();
  if (!/^[\w.-]+(\/[\w.-]+)?$/.test(name)) {
    throw optionError("repository", `expected "owner/name", got "${source.repository}"`);
  }
  const hub = (source.hubUrl ?? HUB).replace(/\/+$/, "");
  const token = source.accessToken?.trim() || undefined;
  // The library takes only the current form of tokens, and says so less clearly.
  if (token !== undefined && !isToken(token)) {
    throw optionError("accessToken", 'expected a Hugging Face token that starts with "hf_"');
  }
  const revision = source.revision?.trim() || "main";
  const params = {
    repo: { type: "model", name } as const,
    hubUrl: hub,
    revision,
    ...(token !== undefined && { accessToken: token }),
  };

  /** The library's address, with the token for the hub alone: other hosts have signed addresses. */
  const locate = async (path: string): Promise<Address> => {
    const resolve = `${hub}/${name}/resolve/${encodeURIComponent(revision)}/${path.split("/").map(encodeURIComponent).join("/")}`;
    let url = resolve;
    try {
      const info = await fileDownloadInfo({ ...params, path });
      if (!info) throw fileError("missingFile", path, `${shown(resolve)} answered 404`);
      url = info.url;
    } catch (error) {
      if (error instanceof HubApiError) throw explain(error, `${name}: ${path}`);
      // A server without ranges or ETag can still be read from the plain address.
      if (!(error instanceof InvalidApiResponseFormatError)) throw error;
    }
    const own = new URL(url).origin === new URL(hub).origin;
    return { url, headers: token !== undefined && own ? { Authorization: `Bearer ${token}` } : {} };
  };

  const list = async (): Promise<HttpFile[]> => {
    const files: HttpFile[] = [];
    try {
      for await (const { type, path, size } of listFiles({ ...params, recursive: true })) {
        if (type === "file")
          files.push(
            new HttpFile(
              path,
              size,
              remember(() => locate(path)),
              onBytes,
            ),
          );
      }
    } catch (error) {
      if (error instanceof HubApiError && !isPassing(error)) throw explain(error, `repository ${name}`);
      throw error instanceof SyntaxError
        ? new WebtuneError("readFailed", `repository ${name}: ${hub} doesn't answer like a Hugging Face hub (no JSON)`)
        : error;
    }
    return files;
  };

  const files = await persist(
    list,
    (reason) => new WebtuneError("readFailed", `repository ${name}: ${hub} could not be read: ${reason}`),
  );
  return { name, files };
}

function isToken(token: string): token is `hf_${string}` {
  return token.startsWith("hf_");
}

/** Keeps an answer, but not a failure. */
function remember<T>(ask: () => Promise<T>): () => Promise<T> {
  let kept: Promise<T> | undefined;
  return () => {
    kept ??= ask().catch((error: unknown) => {
      kept = undefined;
      throw error;
    });
    return kept;
  };
}

function isPassing({ statusCode }: HubApiError): boolean {
  return statusCode === 429 || statusCode >= 500;
}

function explain(error: HubApiError, what: string): Error {
  const answer = `${shown(error.url)} answered ${error.statusCode}`;
  switch (error.statusCode) {
    case 404:
      return new WebtuneError(
        "missingFile",
        `${what}: no such repository or file, or no such revision; check the spelling (${answer})`,
      );
    // The hub answers 401 for repositories that don't exist too, so as not to give private ones away.
    case 401:
    case 403:
      return new WebtuneError(
        "readFailed",
        `${what}: it is private or gated, or doesn't exist; check the spelling, accept its terms on the hub, ` +
          `and give an accessToken that may read it (${answer})`,
      );
    default:
      return isPassing(error) ? error : toWebtuneError(new WebtuneError("readFailed", `${what}: ${answer}`));
  }
}
