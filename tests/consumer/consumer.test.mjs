/**
 * Proves that a Vite project of somebody else can install, build and use the package that `npm pack` makes.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { chromiumFlags, ensureChromium } from "../../scripts/chromium.mjs";
import { serve } from "../../scripts/static-server.mjs";
import { tinyModel } from "../e2e/support/tiny-model.mjs";
import { install, run, temporary, versionOf } from "./packed.mjs";

const PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module" src="./main.ts"></script>`;

const MAIN = `import { compareRuns, recordFromJson, recordToJson, RunRecorder, TextClassifier, WebtuneError } from "webtune";
import type { ClassifyEvent, Comparison, Example, ExportedFile, Method, RunRecord } from "webtune";

const examples: Example[] = ["story", "label"].flatMap((label) =>
  Array.from({ length: 10 }, (_, index) => ({ text: \`the \${label} \${index}\`, label })),
);

async function job() {
  const tuner = await TextClassifier.load({ url: "model/" }, { device: "cpu" });
  const events: ClassifyEvent["type"][] = [];
  const method: Method = { type: "lora", r: 2 };
  const recorder = new RunRecorder({ model: tuner.model.name, device: tuner.device.device, data: "a page's own" });
  for await (const event of tuner.train(examples, { method, numTrainEpochs: 2, trainBatchSize: 4 })) {
    recorder.take(event);
    events.push(event.type);
  }
  const record: RunRecord = recordFromJson(recordToJson(recorder.finish()));
  const comparison: Comparison = await compareRuns(record.correct, record.correct);
  const [prediction] = await tuner.predict(["the story"]);
  const files: ExportedFile[] = await tuner.export();
  tuner.dispose();
  const refused = await TextClassifier.load({ url: "nowhere/" }, { device: "cpu" }).then(
    () => "loaded",
    (error: unknown) => (error instanceof WebtuneError ? error.code : String(error)),
  );
  const sizes = files.map(({ path, bytes }) => ({ path, size: bytes.length }));
  return { events, prediction, files: sizes, refused, record, comparison };
}

(globalThis as unknown as { job: Promise<unknown> }).job = job();
`;

const TYPES = {
  compilerOptions: {
    target: "ES2022",
    module: "ESNext",
    moduleResolution: "bundler",
    lib: ["ES2023", "DOM", "DOM.Iterable"],
    strict: true,
    // The package's own declarations are part of what is tested.
    skipLibCheck: false,
    types: [],
    noEmit: true,
  },
  include: ["main.ts"],
};

test("a fresh Vite project installs the package, type-checks, builds and trains", async () => {
  const folder = temporary();
  install(folder, { vite: versionOf("vite"), typescript: versionOf("typescript") });
  writeFileSync(join(folder, "index.html"), PAGE);
  writeFileSync(join(folder, "main.ts"), MAIN);
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(TYPES));
  mkdirSync(join(folder, "public/model"), { recursive: true });
  for (const { name, buffer } of tinyModel()) writeFileSync(join(folder, "public/model", name), buffer);

  for (const file of [
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "pkg/index.js",
    "pkg/index.d.ts",
    "pkg/wasm/cpu/webtune_bg.wasm",
    "pkg/wasm/webgpu/webtune_bg.wasm",
  ]) {
    assert.ok(existsSync(join(folder, "node_modules/webtune", file)), `${file} is in the package`);
  }
  run(folder, process.execPath, ["node_modules/typescript/bin/tsc"]);
  run(folder, process.execPath, ["node_modules/vite/bin/vite.js", "build", "--base", "./", "--logLevel", "warn"]);

  const { events, prediction, files, refused, record, comparison } = await inBrowser(join(folder, "dist"));
  assert.equal(events[0], "started");
  assert.equal(events.at(-1), "finished");
  assert.ok(events.includes("step"));
  assert.ok(["story", "label"].includes(prediction.label));
  for (const name of ["adapter_model.safetensors", "adapter_config.json", "README.md", "labels.json"]) {
    assert.ok(
      files.some(
        (/** @type {{ path: string, size: number }} */ { path, size }) => path.split("/").at(-1) === name && size > 0,
      ),
      `${name} is exported`,
    );
  }
  assert.equal(refused, "missingFile");
  assert.equal(record.options.method.type, "lora");
  assert.equal(comparison.difference, 0);
  assert.equal(comparison.count, record.correct.length);
});

/** @param {string} folder @returns {Promise<any>} */
async function inBrowser(folder) {
  const { chromium: executablePath } = await ensureChromium();
  const server = await serve({ mounts: { "/shop/tool/": folder } });
  const browser = await chromium.launch({ executablePath, headless: true, args: chromiumFlags });
  try {
    const page = await browser.newPage();
    /** @type {string[]} */
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(`${server.origin}/shop/tool/`);
    await page.waitForFunction("globalThis.job");
    const result = await page.evaluate("globalThis.job");
    assert.deepEqual(errors, []);
    return result;
  } finally {
    await browser.close();
    await server.close();
  }
}
