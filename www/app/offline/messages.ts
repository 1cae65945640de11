/** What the page and its service worker know of each other: messages, and locks that tell which versions are in use. */

/** `SKIP_WAITING` is Workbox's own word: take over from the version before. `STARTED`: a page has loaded. */
export type FromPage = { type: "SKIP_WAITING" } | { type: "STARTED" };

const PREFIX = "webtune-page ";

/** As long as this page is open. @param script The page's main script, whose name carries its version. */
export function holdPageLock(script: string): void {
  void navigator.locks.request(PREFIX + script, { mode: "shared" }, () => new Promise(() => undefined));
}

/** Main scripts of all open pages below an address. */
export async function pageLocks(base: string): Promise<string[]> {
  const { held = [] } = await navigator.locks.query();
  return held
    .map(({ name = "" }) => name)
    .filter((name) => name.startsWith(PREFIX + base))
    .map((name) => name.slice(PREFIX.length));
}
