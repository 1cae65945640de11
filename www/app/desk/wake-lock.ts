/** Keeps the screen on while a run goes on, where the browser can: a device that falls asleep stops it. */

/** Gives what lets it go out again. A refusal is of no consequence. */
export function keepScreenOn(): () => void {
  let held: WakeLockSentinel | undefined;
  let isOver = false;
  const ask = async (): Promise<void> => {
    if (isOver || document.visibilityState !== "visible" || !("wakeLock" in navigator)) return;
    try {
      const given = await navigator.wakeLock.request("screen");
      await held?.release();
      held = given;
      if (isOver) await given.release();
    } catch {
      // A low battery or a policy forbids it.
    }
  };
  // The browser takes it away with every change to another tab.
  const again = (): void => void ask();
  document.addEventListener("visibilitychange", again);
  void ask();
  return () => {
    isOver = true;
    document.removeEventListener("visibilitychange", again);
    held?.release().catch(() => undefined);
  };
}
