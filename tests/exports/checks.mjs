/**
 * Runs the commands and the Python checks of this folder, and what is tried in Chromium.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { buildEnv, root, targetDir } from "../../scripts/cache.mjs";
import { chromiumFlags, ensureChromium } from "../../scripts/chromium.mjs";
import { serve } from "../../scripts/static-server.mjs";

/** Where `cargo test` writes folders. */
export const written = join(targetDir, "tmp");

/**
 * What a command prints; fails with that where the command does.
 * @param {string} command
 * @param {string[]} args
 */
export async function run(command, args) {
  // Nothing is fetched; one thread each, because the models are tiny.
  const env = { ...buildEnv(), HF_HUB_OFFLINE: "1", TOKENIZERS_PARALLELISM: "false", OMP_NUM_THREADS: "1" };
  const child = spawn(command, args, { cwd: root, env });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  const code = await new Promise((done, fail) => {
    child.once("error", fail);
    child.once("close", done);
  });
  assert.equal(code, 0, output);
  return output;
}

/**
 * Runs a check of this folder, which ends with code 1 where something differs.
 * @param {string} python
 * @param {string} check
 * @param {string[]} args
 */
export async function passes(python, check, ...args) {
  const output = await run(python, [join(root, "tests/exports", check), ...args]);
  for (const [line] of output.matchAll(/^(.*largest difference|ok ).*$/gm)) console.log(line);
}

/** @param {string} folder @returns {string[]} */
export const casesIn = (folder) =>
  readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));

/**
 * An empty page in Chromium, on a server with these files; fails if it asks another server for something.
 * @param {Record<string, string>} mounts as of the static server
 * @param {(tab: import("playwright-core").Page) => Promise<void>} use
 */
export async function inChromium(mounts, use) {
  const folder = mkdtempSync(join(tmpdir(), "webtune-page-"));
  const page = join(folder, "index.html");
  writeFileSync(page, "<!doctype html><title>exports</title>");
  const server = await serve({ mounts: { "/": page, ...mounts } });
  const { chromium: executablePath } = await ensureChromium();
  const browser = await chromium.launch({ executablePath, headless: true, args: chromiumFlags });
  try {
    const tab = await browser.newPage();
    /** @type {string[]} */
    const strangers = [];
    tab.on("request", (request) => {
      if (/^http/.test(request.url()) && !request.url().startsWith(server.origin)) strangers.push(request.url());
    });
    await tab.goto(server.origin);
    await use(tab);
    assert.deepEqual(strangers, []);
  } finally {
    await browser.close();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
