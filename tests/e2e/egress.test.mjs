/**
 * Every request of a person's ways through the page is one of docs/privacy.md: same server or another, page, worker or service worker. And
 * a request that should not be is found.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { startHubStub } from "../hub-stub.mjs";
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

/** How a text could leave: where from, and what is run there. @type {[string, "page" | "worker" | "service worker", (row: string) => void][]} */
const plants = [
  ["a query to the page's own server", "page", (row) => void fetch(`./?q=${row}`)],
  ["a body", "page", (row) => void fetch("./", { method: "POST", body: row })],
  ["a header", "page", (row) => void fetch("./", { headers: { accept: row, "x-note": row } })],
  ["a beacon", "page", (row) => void navigator.sendBeacon("./", row)],
  ["a stream of events", "page", (row) => void new EventSource(`./?${row}`)],
  ["an image", "page", (row) => void Object.assign(new Image(), { src: `./dot.png?${row}` })],
  ["a new window", "page", (row) => void window.open(`http://stranger.test/${row}`)],
  ["a query from the worker", "worker", (row) => void fetch(new URL(`/?q=${row}`, origin))],
  ["a body from the worker", "worker", (row) => void fetch(new URL("/", origin), { method: "POST", body: row })],
  ["a request of the service worker", "service worker", (row) => void fetch(`./?q=${row}`)],
];

test("a row that leaves in any of these ways is written down", async () => {
  const { page, ledger, context } = await openRecorded(site);
  await page.paste("text,label\na,b\nc,d\n");
  const [worker] = page.raw.workers();
  const [serviceWorker] = context.serviceWorkers();
  assert.ok(worker && serviceWorker);
  /** @type {Record<string, Place>} */
  const places = { page: page.raw, worker, "service worker": serviceWorker };
  await ledger.take();
  for (const [name, where, plant] of plants) {
    await places[where]?.evaluate(plant, ROW);
    await page.raw.waitForTimeout(300);
    const found = (await ledger.take()).filter((line) => line !== UPDATE_CHECK);
    assert.ok(found.length > 0 && found.every((line) => line.includes(ROW)), `${name}: ${found.join("\n")}`);
  }
  await page.raw.evaluate((row) => void new WebSocket(`ws://${location.host}/${row}`), ROW);
  await page.raw.waitForTimeout(300);
  const [socket] = (await ledger.take()).filter((line) => line !== UPDATE_CHECK);
  assert.equal(socket, `CONNECT ${new URL(site.origin).host}`);
  await context.close();
  await ledger.close();
});

test("WebRTC and a server that no test names fail any test of the page", async () => {
  const { page, close } = await site.open();
  await page.raw.evaluate(() => void new RTCPeerConnection());
  await assert.rejects(close(), /WebRTC was asked for/);

  const other = await site.open();
  await other.page.raw.evaluate(() => window.open("http://stranger.test/"));
  await other.page.raw.waitForTimeout(500);
  await assert.rejects(other.close(), /stranger\.test/);

  const third = await site.open();
  await third.page.paste("text,label\na,b\nc,d\n");
  const [worker] = third.page.raw.workers();
  await worker?.evaluate(() => fetch("http://stranger.test/").catch(() => undefined));
  await assert.rejects(third.close(), /Content Security Policy/);
});

test("a worker reaches the page's server and its model's, the page its own alone, and neither says where it comes from", async () => {
  /** @type {(string | undefined)[]} */
  const referers = [];
  const server = createServer((request, response) => {
    referers.push(request.headers.referer);
    response.writeHead(200, { "access-control-allow-origin": "*" }).end();
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", () => done(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const hub = await startHubStub({ repositories: {} });
  const { page, context } = await site.open();
  try {
    /** @param {string} url */
    const ask = (url) =>
      fetch(url, { mode: "no-cors" }).then(
        () => "answered",
        () => "refused",
      );
    await page.paste("text,label\na,b\nc,d\n");
    const [reader] = page.raw.workers();
    assert.ok(reader);
    for (const place of /** @type {Place[]} */ ([page.raw, reader])) {
      for (const stranger of [`http://stranger.test:${port}/`, `http://127.0.0.1:${port}/`, "https://stranger.test/"]) {
        assert.equal(await place.evaluate(ask, stranger), "refused", stranger);
      }
      assert.equal(await place.evaluate(ask, `${site.origin}/`), "answered");
    }
    // The files are not models, but while they are looked at there is a worker that may look.
    await page.chooseWebModel({ address: `http://127.0.0.1:${port}/model` });
    const started = page.raw.waitForEvent("worker");
    await page.pressLoad();
    const loader = await started;
    assert.equal(await loader.evaluate(ask, `http://127.0.0.1:${port}/`), "answered");
    assert.equal(await loader.evaluate(ask, `${hub.url}/`), "refused");
    assert.ok(referers.length > 0);
    assert.deepEqual([...new Set(referers)], [undefined]);
  } finally {
    await context.close();
    await hub.close();
    server.close();
    server.closeAllConnections();
  }
});
