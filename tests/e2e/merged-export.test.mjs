/**
 * Enters: the package, bundled, and a tiny language model. Leaves: proof that the engine itself writes a merged folder at its reader's pace.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "vite";
import { launch } from "../../scripts/browser.mjs";
import { ensurePackage } from "../../scripts/build-package.mjs";
import { serve } from "../../scripts/static-server.mjs";
import { tinyLanguageModel } from "./support/tiny-language.mjs";

const PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<script type="module">
  import { LanguageTuner } from "webtune";

  const sizesOf = (pieces) => pieces.map((piece) => piece.open ?? piece.length ?? "close");

  async function job() {
    const tuner = await LanguageTuner.loadLanguageModel({ url: "model/" }, { device: "cpu" });
    const rows = Array.from({ length: 8 }, (_, index) => ({ row: index + 1, content: { text: "The cat says meow." } }));
    for await (const _ of tuner.trainLanguageModel(rows, { numTrainEpochs: 1, maxLength: 32, sampleTokens: 0 }));
    const whole = [];
    await tuner.exportMerged((piece) => void whole.push(piece));
    let told = 0;
    const ended = await tuner
      .exportMerged(async (piece) => {
        told += 1;
        if (told === 5) throw new Error("the disk is full");
        // Another run's weights, and a text, come in between: the folder stays the one that was begun.
        if (told === 2) for await (const _ of tuner.trainLanguageModel(rows, { numTrainEpochs: 1, maxLength: 32 }));
        if (told === 3) await tuner.generate("The", { maxNewTokens: 2 });
      })
      .catch((error) => error.message);
    const again = [];
    const slow = tuner.exportMerged(async (piece) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      again.push(piece);
    });
    await slow;
    const { text } = await tuner.generate("The cat", { maxNewTokens: 4 });
    tuner.dispose();
    return { whole: sizesOf(whole), again: sizesOf(again), told, ended, text };
  }
  globalThis.job = job();
</script>`;

test("a merged folder is written at its reader's pace, and a reader that fails leaves the tuner usable", async () => {
  const folder = mkdtempSync(join(tmpdir(), "webtune merged "));
  for (const [path, bytes] of Object.entries(tinyLanguageModel())) writeFileSync(join(folder, path), bytes);
  const from = mkdtempSync(join(tmpdir(), "webtune page "));
  const to = mkdtempSync(join(tmpdir(), "webtune bundle "));
  writeFileSync(join(from, "index.html"), PAGE);
  const alias = { webtune: join(await ensurePackage(), "index.js") };
  await build({
    root: from,
    configFile: false,
    base: "./",
    logLevel: "error",
    resolve: { alias },
    worker: { format: "es" },
    build: { outDir: to, emptyOutDir: true, target: "es2022", chunkSizeWarningLimit: 4096 },
  });
  const server = await serve({ mounts: { "/": to, "/model/": folder } });
  const browser = await launch();
  try {
    const tab = await browser.newPage();
    await tab.goto(`${server.origin}/`);
    await tab.waitForFunction("globalThis.job");
    const { whole, again, told, ended, text } = /** @type {any} */ (await tab.evaluate("globalThis.job"));
    assert.equal(ended, "the disk is full");
    assert.equal(told, 5);
    assert.deepEqual(again, whole);
    assert.equal(typeof text, "string");
    let left = 0;
    const files = [];
    for (const piece of whole) {
      if (piece === "close") assert.equal(left, 0);
      else if (typeof piece === "number") left -= piece;
      else {
        files.push(piece.path);
        left = piece.size;
      }
    }
    for (const name of ["config.json", "tokenizer.json", "model.safetensors"]) assert.ok(files.includes(name), name);
  } finally {
    await browser.close();
    await server.close();
    for (const made of [folder, from, to]) rmSync(made, { recursive: true, force: true });
  }
});
