/** Registers the service worker of a built page, and says how far its files are stored and whether a newer version waits. */
import { messageOf } from "../ui/format";
import { type FromPage, holdPageLock } from "./messages";

export interface OfflineState {
  /** `absent`: on plain http, in old browsers, and under Vite's development server. */
  status: "absent" | "storing" | "ready" | "failed";
  /** Why the files are not stored. */
  reason?: string;
  newVersion: boolean;
}

export class Offline {
  state: OfflineState = { status: "absent", newVersion: false };
  #listener: (state: OfflineState) => void = () => undefined;
  #registration: ServiceWorkerRegistration | undefined;
  #reloads = false;

  /** One listener is enough: the page. */
  set onChange(listener: (state: OfflineState) => void) {
    this.#listener = listener;
  }

  async start(): Promise<void> {
    if (!import.meta.env.PROD || !window.isSecureContext || !("serviceWorker" in navigator)) return;
    const { serviceWorker } = navigator;
    holdPageLock(import.meta.url);
    this.#set({ status: "storing" });
    let wasControlled = serviceWorker.controller !== null;
    serviceWorker.addEventListener("controllerchange", () => {
      if (this.#reloads) location.reload();
      // Another tab has asked for it. Nothing changes here before a reload.
      else if (wasControlled) this.#set({ newVersion: true });
      wasControlled = true;
    });
    try {
      const registration = await serviceWorker.register(new URL("service-worker.js", document.baseURI));
      this.#registration = registration;
      registration.addEventListener("updatefound", () => this.#watch(registration));
      this.#watch(registration);
      if (registration.waiting) this.#set({ newVersion: true });
      const { active } = await serviceWorker.ready;
      this.#set({ status: "ready" });
      active?.postMessage({ type: "STARTED" } satisfies FromPage);
    } catch (error) {
      this.#fail(messageOf(error));
    }
  }

  /** At a person's wish. Other tabs stay at their version until they are reloaded. */
  takeNewVersion(): void {
    const waiting = this.#registration?.waiting;
    if (!waiting) {
      location.reload();
      return;
    }
    this.#reloads = true;
    waiting.postMessage({ type: "SKIP_WAITING" } satisfies FromPage);
  }

  #watch(registration: ServiceWorkerRegistration): void {
    const { installing } = registration;
    installing?.addEventListener("statechange", () => {
      if (installing.state === "installed" && registration.active) this.#set({ newVersion: true });
      if (installing.state === "redundant" && !registration.active) {
        this.#fail("its storage is full, or a file could not be fetched");
      }
    });
  }

  #fail(reason: string): void {
    this.#set({ status: "failed", reason });
  }

  #set(change: Partial<OfflineState>): void {
    this.state = { ...this.state, ...change };
    this.#listener(this.state);
  }
}
