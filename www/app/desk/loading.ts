/**
 * Enters: a way to load something that holds an engine. Leaves: the one that is loaded; a failed load keeps the old one.
 */
import type { LoadProgress } from "webtune";
import { bytes, codeOf, messageOf, percent } from "../ui/format";

export interface Progress {
  /** What is going on, for a person. */
  text: string;
  /** From 0 to 1; undefined while the end is not known. */
  share?: number | undefined;
}

export interface Tell<T> {
  progress(progress: Progress): void;
  ready(loaded: T): void;
  /** Without a message where a person cancelled. */
  failed(message: string | undefined): void;
}

export class Loading<T extends { dispose(): void }> {
  current: T | undefined;
  #loading: AbortController | undefined;

  async load(
    open: (options: { signal: AbortSignal; onProgress: (progress: LoadProgress) => void }) => Promise<T>,
    tell: Tell<T>,
  ): Promise<void> {
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    const isLatest = () => this.#loading === loading;
    tell.progress({ text: "Starting the engine" });
    try {
      const loaded = await open({
        signal: loading.signal,
        onProgress: (progress) => isLatest() && tell.progress(inWords(progress)),
      });
      if (!isLatest()) {
        loaded.dispose();
        return;
      }
      // The old one goes only now, so that a failed load loses nothing.
      this.current?.dispose();
      this.current = loaded;
      tell.ready(loaded);
    } catch (error) {
      if (isLatest()) tell.failed(codeOf(error) === "aborted" ? undefined : messageOf(error));
    } finally {
      if (isLatest()) this.#loading = undefined;
    }
  }

  cancel(): void {
    this.#loading?.abort();
  }

  /** After a crash: nothing can be asked of it any more. */
  drop(): void {
    this.current?.dispose();
    this.current = undefined;
  }
}

function inWords(progress: LoadProgress): Progress {
  if ("phase" in progress) return { text: progress.phase };
  const { file, loaded, total } = progress;
  if (total <= 0) return { text: `${file}: ${bytes(loaded)}` };
  const share = loaded / total;
  return { text: `${file}: ${bytes(loaded)} of ${bytes(total)} (${percent(share, 0)})`, share };
}
