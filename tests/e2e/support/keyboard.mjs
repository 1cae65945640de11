/**
 * Moves over a page and uses its controls with the keyboard alone.
 */
import assert from "node:assert/strict";

const MOST_TABS = 200;

/** @param {import("playwright-core").Page} page */
export function keyboardOf(page) {
  const { keyboard } = page;
  const focused = () =>
    page.evaluate(() => {
      const element = document.activeElement;
      const box = element?.getBoundingClientRect();
      return {
        testId: element?.getAttribute("data-testid") ?? "",
        text: element?.textContent?.trim() ?? "",
        isSeen: box !== undefined && box.width > 0 && box.height > 0,
      };
    });
  /** Tab until the focus is on that part. */
  const goTo = async (/** @type {string} */ wanted) => {
    for (let tabs = 0; tabs < MOST_TABS; tabs += 1) {
      const { testId, text, isSeen } = await focused();
      if (testId === wanted || text === wanted) {
        assert.ok(isSeen, `${wanted} is focused but has no size`);
        return;
      }
      await keyboard.press("Tab");
    }
    assert.fail(`${wanted} was not reached with ${MOST_TABS} tabs`);
  };
  return { keyboard, focused, goTo };
}
