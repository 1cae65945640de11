/** Scrolls content that may be wider than the screen, by pointer or keyboard. */
import type { ComponentChildren } from "preact";

export function ScrollBox({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without focus a keyboard could not scroll it in every browser.
    <section class="scroll" aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}
