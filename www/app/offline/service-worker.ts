/**
 * Keeps the page's own files, so that it opens without a network, and nothing else: models and texts never pass through here.
 * A page in use keeps the files of its own version, however many versions come after it.
 */
import { PrecacheController, PrecacheRoute } from "workbox-precaching";
import { registerRoute } from "workbox-routing";
import { type FromPage, pageLocks } from "./messages";

/** The part of a service worker's global scope that is used here; the DOM's types describe a page. */
interface Scope {
  readonly registration: ServiceWorkerRegistration;
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: "install" | "activate", listener: (event: Extendable) => void): void;
  addEventListener(type: "message", listener: (event: Extendable & MessageEvent<FromPage>) => void): void;
}

type Extendable = Event & { waitUntil(work: Promise<unknown>): void };

/** Every file of this build; set when it is built. */
declare const FILES: { url: string; revision: string | null }[];

const scope = globalThis as unknown as Scope;
const kept = new PrecacheController();
kept.addToCacheList(FILES);

scope.addEventListener("install", (event) => void kept.install(event));
// The page of the first visit came from the network, and gets from here what it loads later.
scope.addEventListener("activate", (event) => event.waitUntil(scope.clients.claim()));
scope.addEventListener("message", (event) => {
  if (event.data.type === "SKIP_WAITING") event.waitUntil(scope.skipWaiting());
  if (event.data.type === "STARTED") event.waitUntil(removeOldFiles(event));
});

// What follows the question mark is for the page alone.
registerRoute(new PrecacheRoute(kept, { ignoreURLParametersMatching: [/./], cleanURLs: false }));
registerRoute(
  ({ url }) => url.href.startsWith(new URL("assets/", scope.registration.scope).href),
  // Of an earlier version, for a page that is still in use.
  async ({ request }) => (await (await caches.open(kept.strategy.cacheName)).match(request.url)) ?? fetch(request),
);

async function removeOldFiles(event: Extendable): Promise<void> {
  const inUse = await pageLocks(scope.registration.scope);
  if (inUse.every((script) => kept.getCacheKeyForURL(script) !== undefined)) await kept.activate(event);
}
