/**
 * An action of a test ends when the page has drawn what came of it. Playwright's ends with the browser's event, a frame before: what a test reads
 * next would be of the page before, and what it types next would go where the keys went before.
 */

/** Those of a locator, and those of a keyboard. */
const ACTIONS = {
  locator: ["check", "click", "fill", "press", "selectOption", "setChecked", "setInputFiles", "uncheck"],
  keyboard: ["press", "type"],
};

/** Effects come after a frame; a page that nobody sees has no frames. */
const drawn = () =>
  new Promise((done) => {
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)));
    setTimeout(done, 500);
  });

/** @param {import("playwright-core").Page} page */
async function waitUntilDrawn(page) {
  try {
    await page.evaluate(drawn);
  } catch (error) {
    // The action led to another page.
    if (!/context was destroyed|has been closed|navigat/i.test(String(error))) throw error;
  }
}

/** @param {object} owner @param {string} name @param {(self: object) => import("playwright-core").Page} pageOf */
function wrap(owner, name, pageOf) {
  const act = Reflect.get(owner, name);
  /** @this {object} @param {unknown[]} given */
  async function wrapped(...given) {
    const result = await act.apply(this, given);
    await waitUntilDrawn(pageOf(this));
    return result;
  }
  Reflect.set(owner, name, wrapped);
}

let locatorsWait = false;

/** From here on actions on this page wait. @param {import("playwright-core").Page} page */
export function actionsWaitUntilDrawn(page) {
  for (const name of ACTIONS.keyboard) wrap(page.keyboard, name, () => page);
  if (locatorsWait) return;
  locatorsWait = true;
  const locators = Object.getPrototypeOf(page.locator("body"));
  for (const name of ACTIONS.locator)
    wrap(locators, name, (locator) => /** @type {import("playwright-core").Locator} */ (locator).page());
}
