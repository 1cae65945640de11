/** The page that `npm start` serves while the WebGPU engine is still being built: it says so, and the CPU engine does all work. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { buildPage, WITHOUT_WEBGPU } from "../../scripts/build-page.mjs";
import { ensureModel, MINILM } from "../../scripts/model.mjs";
import { openSite } from "./support/site.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

test("without the WebGPU engine a page says so, and works on the other", async () => {
  const folder = mkdtempSync(join(tmpdir(), "webtune-first-page-"));
  try {
    await buildPage(folder, await ensureModel(MINILM), WITHOUT_WEBGPU);
    assert.ok(existsSync(join(folder, "index.html")));
    const modules = readdirSync(join(folder, "assets")).filter((name) => name.endsWith(".wasm"));
    assert.equal(modules.length, 1, `${modules}`);
    const site = await openSite({ folder });
    try {
      const { page, close } = await site.open();
      await page.reads("without-webgpu", /still being built/);
      await page.chooseModelFiles(tinyModel());
      await page.chooseDevice("webgpu");
      await page.pressLoad();
      await page.modelError(/WebGPU is not available.*CPU engine alone/);
      await page.chooseDevice("auto");
      await page.loadModel();
      assert.match(await page.deviceReason(), /CPU engine runs, because/);
      await close();
    } finally {
      await site.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
