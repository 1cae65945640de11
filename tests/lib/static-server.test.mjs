/**
 * The server of the page: a request for a file that is still being fetched waits for it.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { compress } from "../../scripts/compress.mjs";
import { serve } from "../../scripts/static-server.mjs";

test("a request for a file that is being fetched waits for it, and others don't", async () => {
  const folder = mkdtempSync(join(tmpdir(), "webtune-serve-"));
  writeFileSync(join(folder, "page.html"), "page");
  /** @type {(value?: unknown) => void} */
  let arrive = () => undefined;
  const fetched = new Promise((resolve) => {
    arrive = resolve;
  });
  const ready = (path) => (path.startsWith("/models/") ? fetched : undefined);
  const { origin, close } = await serve({ mounts: { "/": folder, "/models/": folder }, ready });
  try {
    let answered = 0;
    const asked = ["x.gguf", "y.gguf"].map(async (name) => {
      const { status } = await fetch(`${origin}/models/${name}`, { method: "HEAD" });
      answered += 1;
      return status;
    });
    assert.equal((await fetch(`${origin}/page.html`)).status, 200);
    assert.equal(answered, 0);
    writeFileSync(join(folder, "x.gguf"), "GGUF");
    arrive();
    assert.deepEqual(await Promise.all(asked), [200, 404]);
  } finally {
    await close();
    rmSync(folder, { recursive: true });
  }
});

test("what was compressed before is sent to who takes it, and never a part of it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "webtune-serve-"));
  const text = "the same words again. ".repeat(200);
  writeFileSync(join(folder, "page.js"), text);
  writeFileSync(join(folder, "small.js"), "1;");
  await compress(folder);
  const { origin, close } = await serve({ mounts: { "/": folder } });
  const ask = async (name, headers) => {
    const response = await fetch(`${origin}/${name}`, { headers });
    const told = Number(response.headers.get("content-length"));
    return {
      encoding: response.headers.get("content-encoding"),
      status: response.status,
      told,
      text: await response.text(),
    };
  };
  try {
    for (const [accepted, encoding] of [
      ["gzip, deflate, br", "br"],
      ["gzip;q=1.0", "gzip"],
    ]) {
      const found = await ask("page.js", { "accept-encoding": accepted });
      assert.equal(found.encoding, encoding);
      assert.ok(found.told < 200, `${found.told} bytes`);
      assert.equal(found.text, text);
    }
    const plain = await ask("page.js", { "accept-encoding": "identity" });
    assert.deepEqual([plain.encoding, plain.told], [null, text.length]);
    const part = await ask("page.js", { "accept-encoding": "br", range: "bytes=4-7" });
    assert.deepEqual([part.encoding, part.status, part.text], [null, 206, "same"]);
    assert.deepEqual((await ask("small.js", { "accept-encoding": "br" })).text, "1;");
    await new Promise((resolve) => setTimeout(resolve, 20));
    writeFileSync(join(folder, "page.js"), "other words");
    assert.equal((await ask("page.js", { "accept-encoding": "br" })).text, "other words");
  } finally {
    await close();
    rmSync(folder, { recursive: true });
  }
});
