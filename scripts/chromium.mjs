/**
 * Finds a Chromium and its driver on this machine, or installs them with apt on Debian.
 */
import { existsSync, readFileSync } from "node:fs";
import { ask, Failure, say, show, which } from "./run.mjs";

/** WebGPU then runs without a GPU too, and the browser makes no calls of its own. */
export const chromiumFlags = [
  "--no-sandbox",
  "--disable-dev-shm-usage",
  "--enable-unsafe-webgpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const places = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

/** @returns {string | undefined} */
export function findChromium() {
  const own = process.env.CHROME_PATH;
  if (own && !existsSync(own)) throw new Failure(`CHROME_PATH: expected a Chromium, found no file at ${own}`);
  return own || which(names) || places.find((place) => existsSync(place));
}

/** @returns {string | undefined} */
export function findChromedriver() {
  const own = process.env.CHROMEDRIVER;
  if (own && !existsSync(own)) throw new Failure(`CHROMEDRIVER: expected a driver, found no file at ${own}`);
  return own || which(["chromedriver"]);
}

/**
 * Finds Chromium, or installs it on Debian.
 * @param {{ driver?: boolean }} [wanted] `driver` for tests that go through WebDriver
 */
export async function ensureChromium({ driver = false } = {}) {
  const complete = () => findChromium() !== undefined && (!driver || findChromedriver() !== undefined);
  if (!complete()) await install(driver);
  const chromium = findChromium();
  const chromedriver = findChromedriver();
  if (!chromium || (driver && !chromedriver)) {
    throw new Failure("Chromium was installed but is not in the search path; set CHROME_PATH and CHROMEDRIVER");
  }
  return { chromium, chromedriver };
}

/** @param {boolean} driver */
async function install(driver) {
  const isRoot = process.getuid?.() === 0;
  // -n: a password prompt would hang a run that nobody watches.
  const sudo = !isRoot && ask("sudo", ["-n", "true"]) !== undefined;
  const advice =
    `Chromium${driver ? " or its driver" : ""} was not found: install Chromium or Chrome${driver ? " and the chromedriver of the same version" : ""}, ` +
    `then set CHROME_PATH${driver ? " and CHROMEDRIVER" : ""} if they are not in the search path (Debian: apt-get install chromium chromium-driver)`;
  // Elsewhere apt's package of that name is another one, or only points to a store.
  if (!isDebian() || !which(["apt-get"]) || (!isRoot && !sudo)) throw new Failure(advice);
  say("installing Chromium and its driver with apt-get");
  const apt = (/** @type {string[]} */ args) =>
    isRoot ? show("apt-get", args) : show("sudo", ["-n", "apt-get", ...args]);
  try {
    await apt(["update"]);
    await apt(["install", "-y", "--no-install-recommends", "chromium", "chromium-driver"]);
  } catch (error) {
    throw new Failure(`${/** @type {Error} */ (error).message}. ${advice}`);
  }
}

function isDebian() {
  const file = "/etc/os-release";
  return existsSync(file) && /^ID="?debian"?$/m.test(readFileSync(file, "utf8"));
}
