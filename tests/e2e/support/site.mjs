/**
 * Serves the built folder under a sub-path, and opens it in a real Chromium: closing a page fails if it threw an error, crashed, broke its
 * Content Security Policy or sent a request to a server that the test does not name.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { chromiumFlags, ensureChromium } from "../../../scripts/chromium.mjs";
import { serve } from "../../../scripts/static-server.mjs";
import { actionsWaitUntilDrawn } from "./drawn.mjs";
import { WebtunePage } from "./webtune-page.mjs";

export const dist = fileURLToPath(new URL("../../../dist", import.meta.url));
export const BASE = "/some/where/deep/";

/**
 * @param {{ webgpu?: boolean, host?: string, flags?: string[], mounts?: Record<string, string>, folder?: string }} [options] `host`: a name other than
 * localhost, which makes it plain http to the browser; `flags`: of Chromium, besides its usual ones; `mounts`: what is served next to the
 * page, by addresses from the page's own on; `folder`: another built page than dist
 */
export async function openSite({ webgpu = true, host, flags = [], mounts = {}, folder = dist } = {}) {
  const { chromium: executablePath } = await ensureChromium();
  const beside = Object.entries(mounts).map(([address, path]) => [BASE + address, path]);
  const server = await serve({ mounts: { [BASE]: folder, ...Object.fromEntries(beside) } });
  const usual = webgpu ? chromiumFlags : chromiumFlags.filter((flag) => flag !== "--enable-unsafe-webgpu");
  const args = [...usual, ...flags, ...(host ? [`--host-resolver-rules=MAP ${host} localhost`] : [])];
  const browser = await chromium.launch({ executablePath, headless: true, args });
  const own = host ? `http://${host}:${server.port}` : server.origin;
  return {
    origin: own,
    /**
     * A page of its own, with no memory of earlier ones.
     * @param {{ stored?: boolean, proxy?: { server: string, bypass: string }, origin?: string }} [options] `stored`: the page may be stored
     * for use without a network, which copies 30 MB; `origin`: of another server in place of this site's
     */
    async open({ stored = false, proxy, origin = own } = {}) {
      const context = await browser.newContext({
        acceptDownloads: true,
        viewport: { width: 1280, height: 900 },
        // A forced click does not wait until a smooth scroll has come to its end.
        reducedMotion: "reduce",
        serviceWorkers: stored ? "allow" : "block",
        ...(proxy && { proxy }),
      });
      context.on("page", actionsWaitUntilDrawn);
      // No proxy and no policy sees what these send.
      await context.addInitScript(() => {
        Reflect.set(window, "RTCPeerConnection", function refuse() {
          console.error("WebRTC was asked for");
        });
      });
      /** @type {string[]} */
      const complaints = [];
      // Everything the page needs comes with it: any other address would send something out. Workers' requests are among these.
      /** @type {Set<string>} */
      const strangers = new Set();
      context.on("request", (request) => {
        const { origin: to, protocol } = new URL(request.url());
        if (/^(https?|wss?):$/.test(protocol) && to !== origin) strangers.add(to);
      });
      const newPage = async () => {
        const page = await context.newPage();
        page.on("pageerror", (error) => complaints.push(`uncaught: ${error.message}`));
        page.on("crash", () => complaints.push("the page crashed"));
        page.on("console", (message) => {
          const text = message.text();
          if (/Content.Security.Policy|WebRTC was asked for/i.test(text)) complaints.push(text);
        });
        await page.goto(`${origin}${BASE}`);
        return new WebtunePage(page);
      };
      return {
        page: await newPage(),
        /** Another tab. */
        newPage,
        context,
        complaints,
        /** @param {{ hosts?: string[] }} [options] the other servers that a person named here; no more and no fewer are asked */
        async close({ hosts = [] } = {}) {
          assert.deepEqual(complaints, []);
          assert.deepEqual([...strangers].sort(), [...hosts].sort());
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
