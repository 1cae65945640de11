/**
 * Tells tabs apart: the one in which a run goes on holds a lock of the run's name, which the browser frees with the tab. On plain http
 * there are no locks; tabs ask each other there.
 */

const nameOf = (id: string): string => `webtune-run-${id}`;

/** In which a tab answers, in milliseconds. */
const ANSWER = 500;
/** Between two questions whether a run's tab is still there. */
const AGAIN = 5000;

interface Word {
  /** `moved`: a tab has begun to hold the run, or holds it no more. */
  kind: "who holds it" | "this tab" | "moved";
  id: string;
}

/** Some privacy settings refuse locks that are there. */
const locks: LockManager | undefined = "locks" in navigator ? navigator.locks : undefined;
const tabs = "BroadcastChannel" in window ? new BroadcastChannel("webtune-runs") : undefined;
/** Where there are no locks. */
const held = new Set<string>();

const say = (word: Word): void => tabs?.postMessage(word);

function onWord(take: (word: Word) => void): () => void {
  const listener = ({ data }: MessageEvent<Word>): void => take(data);
  tabs?.addEventListener("message", listener);
  return () => tabs?.removeEventListener("message", listener);
}

onWord(({ kind, id }) => {
  if (kind === "who holds it" && held.has(id)) say({ kind: "this tab", id });
});

/** Calls back when another tab has begun to hold a run, or holds it no more. */
export function onMoved(changed: () => void): void {
  onWord(({ kind }) => {
    if (kind === "moved") changed();
  });
}

/** Gives what frees the run, or undefined if another tab holds it. */
export async function holdRun(id: string): Promise<(() => void) | undefined> {
  const free = await hold(id);
  if (!free) return undefined;
  own(id, true);
  say({ kind: "moved", id });
  return () => {
    free();
    own(id, false);
    say({ kind: "moved", id });
  };
}

export async function isFree(id: string): Promise<boolean> {
  try {
    const found = await locks?.query();
    if (found) return !found.held?.some(({ name }) => name === nameOf(id));
  } catch {
    // As if there were none.
  }
  return !held.has(id) && !(await isHeldElsewhere(id));
}

/** Waits until no tab holds it: one that is being reloaded holds it for a moment longer. */
export async function whenFree(id: string): Promise<void> {
  try {
    await locks?.request(nameOf(id), () => undefined);
  } catch {
    // As if there were none.
  }
  while (!(await isFree(id))) await new Promise((resolve) => setTimeout(resolve, AGAIN));
}

/** Whether this tab held it before it was reloaded or restored. */
export function wasHere(id: string): boolean {
  try {
    return sessionStorage.getItem(nameOf(id)) !== null;
  } catch {
    return false;
  }
}

function own(id: string, isHere: boolean): void {
  try {
    if (isHere) sessionStorage.setItem(nameOf(id), "");
    else sessionStorage.removeItem(nameOf(id));
  } catch {
    // Where nothing may be stored, no run is there to be told from another one.
  }
}

async function hold(id: string): Promise<(() => void) | undefined> {
  try {
    if (locks) return await holdByLock(locks, id);
  } catch {
    // As if there were none.
  }
  if (held.has(id)) return undefined;
  // From now on this tab answers: of two that ask at the same time, neither has it.
  held.add(id);
  const free = (): void => void held.delete(id);
  if (!(await isHeldElsewhere(id))) return free;
  free();
  return undefined;
}

function holdByLock(manager: LockManager, id: string): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    const over = manager.request(nameOf(id), { ifAvailable: true }, (lock) => {
      if (lock) return new Promise<void>((free) => resolve(() => free()));
      resolve(undefined);
      return undefined;
    });
    over.catch(reject);
  });
}

function isHeldElsewhere(id: string): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (isHeld: boolean): void => {
      clearTimeout(timer);
      stop();
      resolve(isHeld);
    };
    const stop = onWord(({ kind, id: other }) => {
      if (kind === "this tab" && other === id) end(true);
    });
    const timer = setTimeout(() => end(false), ANSWER);
    say({ kind: "who holds it", id });
  });
}
