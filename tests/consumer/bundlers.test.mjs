/** Proves that bundlers for browsers take nothing of Node into a page, and that the page trains as they leave it. */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { chromium } from "playwright-core";
import { chromiumFlags, ensureChromium } from "../../scripts/chromium.mjs";
import { extraPackages } from "../../scripts/extra-packages.mjs";
import { serve } from "../../scripts/static-server.mjs";
import { csv } from "../e2e/support/rows.mjs";
import { tinyModel } from "../e2e/support/tiny-model.mjs";
import { install, run, temporary } from "./packed.mjs";

const PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module" src="./page.js"></script>`;

/** @param {string} before what the page does first */
const program = (before) => `import { configure, parseExamples, TextClassifier } from "webtune";
${before}
globalThis.job = (async () => {
  const { rows } = await parseExamples(${JSON.stringify(csv(10))}, "rows.csv");
  const model = await TextClassifier.load({ url: "model/" }, { device: "cpu" });
  const { steps } = await model.train(rows, { method: { type: "lora", r: 2 }, numTrainEpochs: 1 }).result();
  model.dispose();
  return { steps, configure: typeof configure };
})();
globalThis.job.catch(() => undefined);
`;

/** @type {string} */
let folder;
/** @type {string} */
let packages;
before(async () => {
  packages = await extraPackages({
    from: "tests/consumer/bundlers",
    to: "consumer-bundlers",
    words: "installing esbuild and webpack with npm, once (40 MB)",
  });
  folder = temporary();
  install(folder);
  for (const name of readdirSync(packages)) {
    if (!name.startsWith(".")) symlinkSync(join(packages, name), join(folder, "node_modules", name), "junction");
  }
});

/** An empty folder for what a bundler writes, with the page and the model. @param {string} name */
function siteOf(name) {
  const site = join(folder, name);
  mkdirSync(join(site, "model"), { recursive: true });
  for (const { name: file, buffer } of tinyModel()) writeFileSync(join(site, "model", file), buffer);
  writeFileSync(join(site, "index.html"), PAGE);
  return site;
}

/** @param {string} site */
function assertNoNode(site) {
  const scripts = readdirSync(site).filter((name) => name.endsWith(".js"));
  for (const name of scripts) {
    assert.doesNotMatch(
      readFileSync(join(site, name), "utf8"),
      /node:|worker_threads/,
      `${name} names a module of Node`,
    );
  }
}

/** What the page's job gives, or the message that it ends with. @param {string} site @returns {Promise<any>} */
async function inBrowser(site) {
  const { chromium: executablePath } = await ensureChromium();
  const server = await serve({ mounts: { "/shop/": site } });
  const browser = await chromium.launch({ executablePath, headless: true, args: chromiumFlags });
  try {
    const page = await browser.newPage();
    await page.goto(`${server.origin}/shop/`);
    await page.waitForFunction("globalThis.job !== undefined");
    return await page.evaluate("globalThis.job.catch((error) => error.message)");
  } finally {
    await browser.close();
    await server.close();
  }
}

/** @param {string} site @param {string} source */
function withEsbuild(site, source) {
  writeFileSync(join(folder, "main.js"), source);
  const out = join(site, "page.js");
  run(folder, process.execPath, [
    join(packages, "esbuild/bin/esbuild"),
    ...["main.js", "--bundle", "--format=esm", "--log-level=error", `--outfile=${out}`],
  ]);
}

test("esbuild: without its place a worker is not found, and with workerUrl it is", async () => {
  const lost = siteOf("lost");
  withEsbuild(lost, program(""));
  assertNoNode(lost);
  assert.match(String(await inBrowser(lost)), /the worker failed/);

  const site = siteOf("esbuild");
  withEsbuild(site, program('configure({ workerUrl: "webtune/worker" });'));
  cpSync(join(folder, "node_modules/webtune/pkg"), join(site, "webtune"), { recursive: true });
  assert.ok((await inBrowser(site)).steps > 0);
});

/** @param {string} out folder @param {string} source @param {object} [settings] of webpack, JSON */
function withWebpack(out, source, settings = {}) {
  writeFileSync(join(folder, "main.js"), source);
  const config = {
    mode: "production",
    entry: "./main.js",
    output: { path: out, filename: "page.js" },
    optimization: { minimize: false },
    performance: false,
    ...settings,
  };
  writeFileSync(
    join(folder, "build.cjs"),
    `require("webpack")(${JSON.stringify(config)}, (error, stats) => {
      const words = error ?? (stats.hasErrors() || stats.hasWarnings() ? stats.toString() : "");
      if (words) { console.error(words); process.exitCode = 1; }
    });`,
  );
  run(folder, process.execPath, ["build.cjs"]);
}

test("webpack bundles each of the two workers by itself", async () => {
  const site = siteOf("webpack");
  withWebpack(site, program(""));
  assertNoNode(site);
  assert.equal(readdirSync(site).filter((name) => name.endsWith(".wasm")).length, 2);
  assert.ok((await inBrowser(site)).steps > 0);
});

test("a server's bundle finds the thread's script where the package is", () => {
  const out = siteOf("server");
  const source = `import { TextClassifier } from "webtune";
    const model = await TextClassifier.load({ folder: ${JSON.stringify(join(out, "model"))} }, { device: "cpu" });
    console.log(model.device.device);
    model.dispose();`;
  const output = { path: out, filename: "server.mjs", module: true, chunkFormat: "module" };
  withWebpack(out, source, { target: "node20", experiments: { outputModule: true }, output });
  assert.equal(run(out, process.execPath, ["server.mjs"]), "cpu\n");
});
