/** Tells tabs apart: the one in which a run goes on holds a lock of the run's name, which the browser frees with the tab. */

const nameOf = (id: string): string => `webtune-run-${id}`;

/** On plain http there are none, and some privacy settings refuse them. */
function lockManager(): LockManager | undefined {
  return "locks" in navigator ? navigator.locks : undefined;
}

/** Gives what frees the lock, or undefined if another tab holds it. Without locks every run is free. */
export function holdRun(id: string): Promise<(() => void) | undefined> {
  const nothing = (): void => undefined;
  const locks = lockManager();
  if (!locks) return Promise.resolve(nothing);
  return new Promise((resolve) => {
    const held = locks.request(nameOf(id), { ifAvailable: true }, (lock) => {
      if (lock) return new Promise<void>((free) => resolve(() => free()));
      resolve(undefined);
      return undefined;
    });
    held.catch(() => resolve(nothing));
  });
}

export async function isFree(id: string): Promise<boolean> {
  const free = await holdRun(id);
  free?.();
  return free !== undefined;
}

/** Waits until no tab holds it: one that is being reloaded holds it for a moment longer. */
export async function whenFree(id: string): Promise<void> {
  await lockManager()?.request(nameOf(id), () => undefined);
}
