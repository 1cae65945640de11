/**
 * Enters: where some work stands. Leaves: a row whose keyboard's place is kept as its buttons come, go and sleep.
 */
import { useEffect, useRef } from "preact/hooks";

/**
 * The pressed button goes or falls asleep as work begins and ends, and others wake up later: the keyboard's place stays in
 * their row, and moves on to the first that can be pressed.
 */
export function useKeptFocus(status: unknown) {
  const row = useRef<HTMLDivElement>(null);
  const before = useRef(status);
  useEffect(() => {
    if (before.current === status) return;
    before.current = status;
    const { activeElement } = document;
    const lost = !activeElement || activeElement === document.body || activeElement === row.current;
    if (!lost && !(activeElement.matches(":disabled") && row.current?.contains(activeElement))) return;
    const place = row.current?.querySelector<HTMLElement>("button:not(:disabled)") ?? row.current;
    place?.focus({ preventScroll: true });
  }, [status]);
  return row;
}
