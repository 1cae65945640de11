/**
 * Finds the files of a repository on the Hugging Face hub, or on a server that behaves like it, to be read in ranges.
 */

import { fileError, optionError, toWebtuneError, WebtuneError } from "../errors.js";
import {
  fileDownloadInfo,
  HubApiError,
  InvalidApiResponseFormatError,
  type ListFileEntry,
  listFiles,
  modelInfo,
} from "../vendor/hub.js";
import { HttpFile } from "./http-file.js";
import type { KeptFolder } from "./kept-folder.js";
import { type Address, BRIEFLY, fetchInTime, type Net, persist, shown } from "./network.js";
import { HUB } from "./reach.js";

export interface Repository {
  repository: string;
  file?: string;
  revision?: string;
  hubUrl?: string;
  accessToken?: string;
}

/** The commit, or undefined from a server that doesn't tell. */
type Commit = string | undefined;

/**
 * Lists a repository at the commit that its revision is of now; a file's address is settled when it is first read.
 *
 * @param choose Which of all paths become files.
 * @throws WebtuneError `missingFile` where the repository or revision doesn't exist, `readFailed` where it is private,
 * gated or out of reach, `invalidOption` for an id or token of the wrong form.
 */
export async function openRepository(
  source: Repository,
  net: Net,
  choose: (paths: readonly string[]) => readonly string[],
  kept: KeptFolder | undefined,
): Promise<{ name: string; files: HttpFile[] }> {
  const hub = new Hub(source, net);
  const { name } = hub;
  const asking = kept?.completeAt ? { ...net, patience: BRIEFLY } : net;
  const commit = await hub.commit(asking);
  if (kept?.completeAt && commit !== undefined && commit === kept.commit) {
    const files = kept.files().map(({ path, version }) => hub.file(path, version, commit, kept));
    return { name, files };
  }
  const listed = await hub.list(commit, asking);
  const chosen = new Set(choose(listed.map(({ path }) => path)));
  const files: HttpFile[] = [];
  for (const entry of listed.filter(({ path }) => chosen.has(path))) {
    const version = { size: entry.size, etag: undefined, modified: undefined };
    kept?.expect(entry.path, version, { content: contentOf(entry) });
    files.push(hub.file(entry.path, version, commit, kept));
  }
  await kept?.settle({ name, commit, absent: [] });
  return { name, files };
}

/** Large files are named by the SHA-256 of their bytes, others by git's hash. */
function contentOf({ oid, lfs }: ListFileEntry): string | undefined {
  if (lfs) return `sha256:${lfs.oid}`;
  return oid === undefined ? undefined : `git:${oid}`;
}

class Hub {
  readonly name: string;
  readonly #hub: string;
  readonly #revision: string;
  readonly #token: `hf_${string}` | undefined;
  readonly #net: Net;

  constructor(source: Repository, net: Net) {
    this.name = source.repository.trim();
    if (!/^[\w.-]+(\/[\w.-]+)?$/.test(this.name)) {
      throw optionError("repository", `expected "owner/name", got "${source.repository}"`);
    }
    this.#hub = (source.hubUrl ?? HUB).replace(/\/+$/, "");
    const token = source.accessToken?.trim() || undefined;
    // The library takes only the current form of tokens, and says so less clearly.
    if (token !== undefined && !isToken(token)) {
      throw optionError("accessToken", 'expected a Hugging Face token that starts with "hf_"');
    }
    this.#token = token;
    this.#revision = source.revision?.trim() || "main";
    this.#net = net;
  }

  /** A branch may move while files are read, a commit never does. */
  async commit(net: Net): Promise<Commit> {
    if (/^[0-9a-f]{40}$/.test(this.#revision)) return this.#revision;
    return this.#ask(net, async () => {
      try {
        const params = { ...this.#params(undefined, net), name: this.name, additionalFields: ["sha" as const] };
        const { sha } = await modelInfo(params);
        return typeof sha === "string" && /^[0-9a-f]{40}$/.test(sha) ? sha : undefined;
      } catch (error) {
        // Some servers list their files and don't know this question; of others the list says what is wrong.
        if (error instanceof HubApiError && error.statusCode === 404) return undefined;
        throw error;
      }
    });
  }

  list(commit: Commit, net: Net): Promise<ListFileEntry[]> {
    return this.#ask(net, async () => {
      const found: ListFileEntry[] = [];
      for await (const entry of listFiles({ ...this.#params(commit, net), recursive: true })) {
        if (entry.type === "file") found.push(entry);
      }
      return found;
    });
  }

  file(path: string, version: HttpFile["version"], commit: Commit, kept: KeptFolder | undefined): HttpFile {
    let known: Promise<Address> | undefined;
    const address = (fresh: boolean): Promise<Address> => {
      if (!known || fresh) {
        known = this.#locate(path, commit).catch((error: unknown) => {
          // a failure is not kept
          known = undefined;
          throw error;
        });
      }
      return known;
    };
    return new HttpFile(path, address, this.#net, { version, keeper: kept });
  }

  /** The library's address, with the token for the hub alone: other hosts have signed addresses. */
  async #locate(path: string, commit: Commit): Promise<Address> {
    const parts = path.split("/").map(encodeURIComponent).join("/");
    const resolve = `${this.#hub}/${this.name}/resolve/${encodeURIComponent(commit ?? this.#revision)}/${parts}`;
    let url = resolve;
    try {
      const info = await fileDownloadInfo({ ...this.#params(commit, this.#net), path });
      if (!info) throw fileError("missingFile", path, `${shown(resolve)} answered 404`);
      url = info.url;
    } catch (error) {
      if (error instanceof HubApiError) throw explain(error, `${this.name}: ${path}`);
      // A server without ranges or ETag can still be read from the plain address.
      if (!(error instanceof InvalidApiResponseFormatError)) throw error;
    }
    const own = new URL(url).origin === new URL(this.#hub).origin;
    return { url, headers: this.#token !== undefined && own ? { Authorization: `Bearer ${this.#token}` } : {} };
  }

  #params(commit: Commit, { patience }: Net) {
    return {
      repo: { type: "model", name: this.name } as const,
      hubUrl: this.#hub,
      revision: commit ?? this.#revision,
      fetch: ((input, init) => fetchInTime(input, init, patience.stallMs)) as typeof fetch,
      ...(this.#token !== undefined && { accessToken: this.#token }),
    };
  }

  async #ask<T>({ patience }: Net, job: () => Promise<T>): Promise<T> {
    const about = `repository ${this.name}`;
    const asked = async (): Promise<T> => {
      try {
        return await job();
      } catch (error) {
        if (error instanceof HubApiError && !isPassing(error)) throw explain(error, about);
        throw error instanceof SyntaxError
          ? new WebtuneError("readFailed", `${about}: ${this.#hub} doesn't answer like a Hugging Face hub (no JSON)`)
          : error;
      }
    };
    return persist(
      patience,
      asked,
      (reason) => new WebtuneError("readFailed", `${about}: ${this.#hub} could not be read: ${reason}`),
    );
  }
}

function isToken(token: string): token is `hf_${string}` {
  return token.startsWith("hf_");
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
