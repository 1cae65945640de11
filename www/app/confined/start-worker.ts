/**
 * Starts workers that obey a policy, each with no more of the network than its model's source needs.
 *
 * A worker from a web address has the policy of that file's response headers, and a static server sends none. One from a `blob:` address
 * has the policy of the document that started it. So each reach gets an empty document of its own in a hidden frame, whose policy is
 * narrowed to that reach: a policy can be added to, never widened. The page itself reaches no server but its own.
 */
import type { StartWorker, WorkerLike } from "webtune";
import cpuScript from "../../lib/worker/cpu-worker.ts?worker&url";
import webgpuScript from "../../lib/worker/webgpu-worker.ts?worker&url";
import { messageOf } from "../ui/format";

type Room = Window & typeof globalThis;

// Firefox takes dynamic imports from the service worker, static ones never. Until the script is there, nobody would hear the first
// message; and of a rejection the page would hear nothing.
const codeOf = (script: string): string => `
  addEventListener("message", ({ ports }) => {
    import(${JSON.stringify(new URL(script, document.baseURI).href)}).then(
      () => dispatchEvent(new MessageEvent("message", { ports: [...ports] })),
      (error) => setTimeout(() => { throw error; }),
    );
  }, { once: true });
`;

const codes = { cpu: codeOf(cpuScript), webgpu: codeOf(webgpuScript) };

/** By policy. They stay, since a worker ends with the document that started it. */
const rooms = new Map<string, Promise<Room>>();

/** A `StartWorker`. */
export const startConfined: StartWorker = (reach, module) => {
  const policy = `connect-src ${["'self'", ...reach].join(" ")}`;
  const room = rooms.get(policy) ?? open(policy);
  rooms.set(policy, room);
  return new RemoteWorker(room, codes[module]);
};

function open(policy: string): Promise<Room> {
  const frame = document.createElement("iframe");
  frame.hidden = true;
  frame.src = new URL("engine-room.html", document.baseURI).href;
  const opened = new Promise<Room>((resolve) => {
    frame.onload = () => {
      const inside = frame.contentDocument;
      if (!inside?.head || inside.location.href !== frame.src) {
        // A server may forbid frames, or be away. The page's own policy is narrower still: models of other servers are out of reach.
        rooms.delete(policy);
        frame.remove();
        resolve(window);
        return;
      }
      const meta = inside.createElement("meta");
      meta.httpEquiv = "Content-Security-Policy";
      meta.content = policy;
      inside.head.append(meta);
      resolve(frame.contentWindow as Room);
    };
  });
  document.body.append(frame);
  return opened;
}

/** A worker of another document. Its messages come through a port of this one, whose classes they are made of then. */
class RemoteWorker implements WorkerLike {
  readonly #port: MessagePort;
  /** Rejected where it cannot be started. */
  readonly #worker: Promise<Worker>;
  readonly #listeners = new Set<(event: ErrorEvent) => void>();
  #over = false;

  constructor(room: Promise<Room>, code: string) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#worker = room.then((inside) => this.#start(inside, port2, code));
    this.#worker.catch((error: unknown) => this.#fail(new ErrorEvent("error", { message: messageOf(error) })));
  }

  #start(inside: Room, port: MessagePort, code: string): Worker {
    const address = inside.URL.createObjectURL(new inside.Blob([code], { type: "text/javascript" }));
    const worker = new inside.Worker(address, { type: "module", name: "webtune" });
    worker.addEventListener("error", (event) => this.#fail(event));
    worker.postMessage(undefined, [port]);
    if (this.#over) worker.terminate();
    return worker;
  }

  #fail(event: ErrorEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  postMessage(message: unknown, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }

  terminate(): void {
    this.#over = true;
    this.#port.close();
    this.#worker.then((worker) => worker.terminate()).catch(() => undefined);
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    if (type === "error") this.#listeners.add(listener as (event: ErrorEvent) => void);
    else this.#port.addEventListener(type, listener as (event: Event) => void);
    this.#port.start();
  }
}
