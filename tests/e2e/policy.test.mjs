/**
 * What the browser itself refuses: the policy holds in workers as on the page, and is as narrow as the model's source allows.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { startHubStub } from "../hub-stub.mjs";
import { openSite } from "./support/site.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

/** A page or a worker. @typedef {{ evaluate(work: (value: string) => unknown, value: string): Promise<unknown> }} Place */

const TABLE = "text,label\na,b\nc,d\n";

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite({ flags: ["--host-resolver-rules=MAP stranger.test 127.0.0.1"] });
});
after(() => site?.close());

/** @param {string} url */
const ask = (url) =>
  fetch(url, { mode: "no-cors" }).then(
    () => "answered",
    () => "refused",
  );

test("a worker reaches the page's server and its model's, the page its own alone, and neither says where it comes from", async () => {
  /** @type {(string | undefined)[]} */
  const referers = [];
  const server = createServer((request, response) => {
    referers.push(request.headers.referer);
    // A model that is waited for: as long as it is, its worker is there.
    if (request.url?.startsWith("/model")) return;
    response.writeHead(200, { "access-control-allow-origin": "*" }).end();
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", () => done(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const hub = await startHubStub({ repositories: {} });
  const { page, context } = await site.open();
  try {
    await page.paste(TABLE);
    const [reader] = page.raw.workers();
    assert.ok(reader);
    for (const place of /** @type {Place[]} */ ([page.raw, reader])) {
      for (const stranger of [`http://stranger.test:${port}/`, `http://127.0.0.1:${port}/`, "https://stranger.test/"]) {
        assert.equal(await place.evaluate(ask, stranger), "refused", stranger);
      }
      assert.equal(await place.evaluate(ask, `${site.origin}/`), "answered");
    }
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

test("where a server forbids frames, workers obey the page's policy, and models of other servers are refused", async () => {
  const hub = await startHubStub({ repositories: {} });
  const { page, context } = await site.open();
  try {
    await page.raw.route("**/engine-room.html", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, headers: { ...response.headers(), "x-frame-options": "DENY" } });
    });
    await page.paste(TABLE);
    const [reader] = page.raw.workers();
    assert.equal(await reader?.evaluate(ask, `${hub.url}/`), "refused");
    await page.chooseDevice("cpu");
    await page.chooseModelFiles(tinyModel());
    await page.loadModel();
    await page.chooseWebModel({ address: "somebody/tiny", hubUrl: hub.url });
    await page.pressLoad();
    await page.modelError(new RegExp(`${hub.url} could not be read`));
    assert.deepEqual(hub.requests, []);
  } finally {
    await context.close();
    await hub.close();
  }
});
