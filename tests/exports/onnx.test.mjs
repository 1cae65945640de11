/**
 * ONNX folders that `cargo test` writes run as they are: with onnxruntime in Python, and with transformers.js in Node and in Chromium.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { casesIn, inChromium, passes, run, written } from "./checks.mjs";
import { pythonEnvironment } from "./environment.mjs";
import { transformersJs } from "./transformers-js.mjs";

const exported = join(written, "exports", "onnx");
/** What scores may differ by; check_onnx.py says why. */
const TOLERANCES = /** @type {const} */ ({ fp32: 1e-5, fp16: 3e-3 });

/** @typedef {{ text: string, truncated: boolean, label: string, labels: string[], probabilities: number[] }} Prediction */
/** @typedef {{ label: string, score: number }[]} Ranked the labels of one text, the likeliest first */

/** @type {string[]} */
let folders = [];

before(async () => {
  await run("cargo", ["test", "--test", "onnx", "leave"]);
  folders = casesIn(exported);
  assert.equal(folders.length, 14);
});

/**
 * What webtune itself answers. transformers.js cuts a text's last token off where it shortens it, which no tokenizer of Python's does;
 * those texts are left out.
 * @param {string} folder @returns {Prediction[]}
 */
function predictions(folder) {
  const lines = readFileSync(join(folder, "predictions.jsonl"), "utf8").trim().split("\n");
  /** @type {Prediction[]} */
  const rows = lines.map((line) => JSON.parse(line));
  return rows.filter(({ truncated }) => !truncated);
}

/** @param {string} where @param {keyof typeof TOLERANCES} dtype @param {Prediction[]} rows @param {Ranked[]} found */
function compare(where, dtype, rows, found) {
  assert.equal(found.length, rows.length, where);
  let worst = 0;
  for (const [index, { label, labels, probabilities }] of rows.entries()) {
    const ranked = found[index] ?? [];
    assert.equal(ranked[0]?.label, label, `${where}, text ${index}`);
    assert.equal(ranked.length, labels.length, `${where}, text ${index}`);
    for (const { label: name, score } of ranked) {
      worst = Math.max(worst, Math.abs(score - (probabilities[labels.indexOf(name)] ?? Number.NaN)));
    }
  }
  assert.ok(worst <= TOLERANCES[dtype], `${where}: scores differ by ${worst}`);
  return worst;
}

/**
 * @param {string} runtime @param {(keyof typeof TOLERANCES)[]} dtypes
 * @param {(folder: string, dtype: string, texts: string[]) => Promise<Ranked[]>} classify
 */
async function agree(runtime, dtypes, classify) {
  for (const dtype of dtypes) {
    let worst = 0;
    for (const folder of folders) {
      const rows = predictions(folder);
      const texts = rows.map(({ text }) => text);
      const where = `${runtime}, ${basename(folder)} ${dtype}`;
      worst = Math.max(worst, compare(where, dtype, rows, await classify(folder, dtype, texts)));
    }
    console.log(
      `${runtime} ${dtype}: largest difference of a score ${worst.toExponential(1)}, over ${folders.length} models`,
    );
  }
}

test("onnxruntime in Python gives the same logits, and onnx.checker finds nothing", async () => {
  await passes(await pythonEnvironment(), "check_onnx.py", ...folders);
});

test("transformers.js in Node gives webtune's labels and scores", async () => {
  const module = join(await transformersJs(), "@huggingface/transformers/dist/transformers.node.mjs");
  const { env, pipeline } = await import(pathToFileURL(module).href);
  env.allowRemoteModels = false;
  await agree("Node", ["fp32", "fp16"], async (folder, dtype, texts) => {
    const classify = await pipeline("text-classification", join(folder, dtype));
    const found = await classify(texts, { top_k: null });
    await classify.dispose();
    return found;
  });
});

test("transformers.js in Chromium gives webtune's labels and scores", async () => {
  const packages = await transformersJs();
  const mounts = {
    "/models/": exported,
    "/transformers/": join(packages, "@huggingface/transformers/dist"),
    "/onnxruntime/": join(packages, "onnxruntime-web/dist"),
  };
  await inChromium(mounts, async (tab) => {
    const on =
      (/** @type {"wasm" | "webgpu"} */ device) =>
      (/** @type {string} */ folder, /** @type {string} */ dtype, /** @type {string[]} */ texts) =>
        tab.evaluate(
          async ({ model, device, texts }) => {
            const address = "/transformers/transformers.min.js";
            const { env, pipeline } = await import(address);
            env.allowRemoteModels = false;
            env.allowLocalModels = true;
            env.localModelPath = "/models/";
            env.backends.onnx.wasm.wasmPaths = "/onnxruntime/";
            const classify = await pipeline("text-classification", model, { device });
            const found = await classify(texts, { top_k: null });
            await classify.dispose();
            return found;
          },
          { model: `${basename(folder)}/${dtype}`, device, texts },
        );
    await agree("Chromium on the CPU", ["fp32", "fp16"], on("wasm"));
    // Software WebGPU has no float16.
    await agree("Chromium on WebGPU", ["fp32"], on("webgpu"));
  });
});
