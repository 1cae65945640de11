/** Runs the examples as they are, against the package that `npm pack` makes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { root } from "../../scripts/cache.mjs";
import { chromiumFlags, ensureChromium } from "../../scripts/chromium.mjs";
import { dawnEnv, ensureDawn } from "../../scripts/dawn.mjs";
import { serve } from "../../scripts/static-server.mjs";
import { tinyLanguageModel } from "../e2e/support/tiny-language.mjs";
import { tinyModel } from "../e2e/support/tiny-model.mjs";
import { install, temporary } from "./packed.mjs";

/** A copy of an example with the package and two tiny models. @param {string} name */
function exampleOf(name) {
  const folder = join(temporary(), name);
  cpSync(join(root, "examples", name), folder, { recursive: true });
  install(folder);
  mkdirSync(join(folder, "tiny"));
  for (const { name: file, buffer } of tinyModel()) writeFileSync(join(folder, "tiny", file), buffer);
  mkdirSync(join(folder, "writer"));
  for (const [file, bytes] of Object.entries(tinyLanguageModel())) writeFileSync(join(folder, "writer", file), bytes);
  return folder;
}

test("in Node: a classifier and a language model, on the CPU engine and on WebGPU", async () => {
  const folder = exampleOf("node");
  const node = (/** @type {string[]} */ args, env = process.env) =>
    spawnSync(process.execPath, args, { cwd: folder, env, encoding: "utf8", timeout: 300_000 });

  const classified = node(["classify.js", "tiny"]);
  assert.equal(classified.status, 0, classified.stderr);
  assert.match(classified.stdout, /The CPU engine was asked for[\s\S]*step 1 of[\s\S]*(delivery|payment): It is three/);
  assert.ok(readFileSync(join(folder, "adapter/adapter_model.safetensors")).length > 0);

  const written = node(["write.js", "writer"]);
  assert.equal(written.status, 0, written.stderr);
  assert.match(written.stdout, /perplexity [\d.]+ before, [\d.]+ after\nThe cat/);

  const without = node(["classify.js", "tiny", "webgpu"]);
  assert.equal(without.status, 1);
  assert.match(without.stderr, /the package webgpu, which brings it to Node, is not installed/);

  symlinkSync(dirname(fileURLToPath(await ensureDawn())), join(folder, "node_modules/webgpu"), "junction");
  const onGpu = node(["classify.js", "tiny", "webgpu"], dawnEnv("software"));
  assert.equal(onGpu.status, 0, onGpu.stderr);
  assert.match(onGpu.stdout, /WebGPU was asked for and runs on a software adapter[\s\S]*step 1 of[\s\S]*: It is three/);
});

test("a plain page: trains, answers and saves", async () => {
  const folder = exampleOf("html");
  const { chromium: executablePath } = await ensureChromium();
  const server = await serve({ mounts: { "/any/place/": folder } });
  const browser = await chromium.launch({ executablePath, headless: true, args: chromiumFlags });
  try {
    const page = await browser.newPage();
    /** @type {string[]} */
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(`${server.origin}/any/place/`);
    await page.setInputFiles("#model", join(folder, "tiny"));
    await page.click("#train");
    await page.waitForSelector("#ask:enabled", { timeout: 60_000 });
    await page.click("#ask");
    await page.waitForFunction(() =>
      /^(delivery|payment) \(\d+%\)$/.test(document.getElementById("answer")?.textContent ?? ""),
    );
    const download = page.waitForEvent("download");
    await page.click("#save");
    assert.ok((await download).suggestedFilename().length > 0);
    assert.deepEqual(errors, []);
  } finally {
    await browser.close();
    await server.close();
  }
});
