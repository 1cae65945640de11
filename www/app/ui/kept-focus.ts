/** Keeps the keyboard focus in a row of buttons that come and go. */
import { useEffect, useRef } from "preact/hooks";

/**
 * As work begins and ends, the pressed button is removed or disabled and others are enabled: the focus stays in their row
 * and moves to the first that can be pressed.
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
