/** What people download, as a server sends it: no change makes it larger unnoticed. */
import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { test } from "node:test";
import { ensureWasm, sizesOf } from "../../scripts/build-wasm.mjs";

/** Bytes with gzip. Whoever saves some lowers these. @type {Record<string, number>} */
const MOST = { cpu: 3_500_000, webgpu: 7_200_000 };

test("the WebAssembly modules are no larger than they were", async () => {
  const variants = await ensureWasm();
  assert.deepEqual(variants.map(({ outDir }) => basename(outDir)).sort(), Object.keys(MOST).sort());
  for (const { outDir, name } of variants) {
    const { wasmGzipBytes } = sizesOf(join(outDir, `${name}_bg.wasm`));
    const most = /** @type {number} */ (MOST[basename(outDir)]);
    assert.ok(wasmGzipBytes <= most, `${basename(outDir)}: expected at most ${most} bytes, found ${wasmGzipBytes}`);
  }
});
