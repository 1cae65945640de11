/**
 * Serves the built folder under a sub-path, and opens it in a real Chromium: closing a page fails if it threw an error, crashed, broke its
 * Content Security Policy or sent a request to another server.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { chromiumFlags, ensureChromium } from "../../../scripts/chromium.mjs";
import { serve } from "../../../scripts/static-server.mjs";
import { WebtunePage } from "./webtune-page.mjs";

const dist = fileURLToPath(new URL("../../../dist", import.meta.url));
const BASE = "/some/where/deep/";

/**
 * @param {{ webgpu?: boolean, host?: string }} [options] `host`: a name other than localhost, which makes it plain http to the browser
 */
export async function openSite({ webgpu = true, host } = {}) {
  const { chromium: executablePath } = await ensureChromium();
  const server = await serve({ mounts: { [BASE]: dist } });
  const args = webgpu ? [...chromiumFlags] : chromiumFlags.filter((flag) => flag !== "--enable-unsafe-webgpu");
  if (host) args.push(`--host-resolver-rules=MAP ${host} localhost`);
  const browser = await chromium.launch({ executablePath, headless: true, args });
  const site = host ? `http://${host}:${server.port}` : server.origin;
  return {
    origin: site,
    /** A page of its own, with no memory of earlier ones. */
    async open() {
      const context = await browser.newContext({
        acceptDownloads: true,
        viewport: { width: 1280, height: 900 },
        // A forced click does not wait until a smooth scroll has come to its end.
        reducedMotion: "reduce",
      });
      const page = await context.newPage();
      /** @type {string[]} */
      const complaints = [];
      page.on("pageerror", (error) => complaints.push(`uncaught: ${error.message}`));
      page.on("crash", () => complaints.push("the page crashed"));
      page.on("console", (message) => {
        const text = message.text();
        if (/Content.Security.Policy/i.test(text)) complaints.push(text);
      });
      // Everything the page needs comes with it: any other address would send something out.
      const strangers = new Set();
      page.on("request", (request) => {
        const { origin, protocol } = new URL(request.url());
        if (/^https?:$/.test(protocol) && origin !== site) strangers.add(origin);
      });
      await page.goto(`${site}${BASE}`);
      const subject = new WebtunePage(page);
      return {
        page: subject,
        strangers,
        /** @param {{ strangersAreFine?: boolean }} [options] where the person named another server */
        async close({ strangersAreFine = false } = {}) {
          assert.deepEqual(complaints, []);
          if (!strangersAreFine) assert.deepEqual([...strangers], []);
          await context.close();
        },
      };
    },
    /** Every page's graphics card is lost, as after a reset of its driver. */
    async killGpu() {
      const session = await browser.newBrowserCDPSession();
      await session.send("Browser.crashGpuProcess");
      await session.detach();
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}
