/**
 * The server of the page: a request for a file that is still being fetched waits for it.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
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
