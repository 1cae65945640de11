/**
 * llama.cpp loads a GGUF adapter onto the published GGUF file that it was tuned on, in Node and in Chromium, and says what webtune says.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { folderOf, isIntact, SMOLLM2 } from "../../scripts/model.mjs";
import { inChromium, run, written } from "./checks.mjs";
import { llamaCpp } from "./llama-cpp.mjs";

const folder = join(written, "exports", "llama-cpp");
const adapter = join(folder, "adapter.gguf");
const [file = ""] = Object.keys(SMOLLM2.files);
const model = join(folderOf(SMOLLM2), file);
/** Of a probability: llama.cpp rounds what it multiplies with 4-bit weights to 8 bits, and webtune does not; the untuned model shows as much. */
const TOLERANCE = 0.1;

/** @typedef {{ ids: number[], logits: number[] }} Answer what comes after a prompt, and the logits of its first token */
/** @typedef {{ question: string, text: string, prompt: number[], base: Answer, tuned: Answer }} Asked */

/** @param {number[]} logits */
function softmax(logits) {
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = logits.map((one) => Math.exp(one - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((one) => one / sum);
}

describe("with the published SmolLM2", {
  skip: isIntact(SMOLLM2) ? false : `not fetched; node scripts/model.mjs ${SMOLLM2.name} does it`,
}, () => {
  /** @type {Asked[]} */
  let asked = [];
  before(async () => {
    await run("cargo", ["run", "--example", "gguf_adapter", "--", model, folder]);
    asked = JSON.parse(readFileSync(join(folder, "answers.json"), "utf8"));
  });

  test("llama.cpp in Node gives webtune's words and probabilities", async () => {
    const { getLlama } = await import(pathToFileURL(join(await llamaCpp(), "node-llama-cpp/dist/index.js")).href);
    // Its threads wait for one another busily, which takes minutes where other work has the cores.
    const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: 1 });
    try {
      const loaded = await llama.loadModel({ modelPath: model });
      /** @param {number[]} prompt @param {number} most @param {string} [lora] */
      const answer = async (prompt, most, lora) => {
        const context = await loaded.createContext({ contextSize: 256, threads: 1, ...(lora && { lora }) });
        const settings = { temperature: 0, yieldEogToken: true };
        const ids = [];
        /** @type {Map<number, number>} */
        let first = new Map();
        const tokens = context.getSequence().evaluateWithMetadata(prompt, { probabilities: true }, settings);
        for await (const { token, probabilities } of tokens) {
          if (ids.length === 0) first = probabilities;
          ids.push(token);
          if (ids.length === most || loaded.isEogToken(token)) break;
        }
        await context.dispose();
        return { ids, first };
      };
      let worst = 0;
      for (const { question, prompt, base, tuned } of asked) {
        const without = await answer(prompt, base.ids.length);
        const found = await answer(prompt, tuned.ids.length, adapter);
        assert.deepEqual(found.ids, tuned.ids, question);
        assert.notDeepEqual(without.ids.slice(0, 4), tuned.ids.slice(0, 4), question);
        for (const [expected, { first }] of /** @type {const} */ ([
          [base, without],
          [tuned, found],
        ])) {
          for (const [id, share] of softmax(expected.logits).entries()) {
            worst = Math.max(worst, Math.abs(share - (first.get(id) ?? 0)));
          }
        }
      }
      assert.ok(worst <= TOLERANCE, `probabilities differ by ${worst}`);
      console.log(`llama.cpp: largest difference of a probability ${worst.toExponential(1)}`);
    } finally {
      await llama.dispose();
    }
  });

  test("wllama in Chromium gives webtune's words", async () => {
    const packages = await llamaCpp();
    const mounts = {
      "/model.gguf": model,
      "/adapter.gguf": adapter,
      "/wllama/": join(packages, "@wllama/wllama/esm"),
    };
    await inChromium(mounts, async (tab) => {
      const questions = asked.map(({ text, tuned }) => ({ text, most: tuned.ids.length }));
      const found = await tab.evaluate(async (questions) => {
        const address = "/wllama/index.js";
        const { Wllama } = await import(address);
        const blob = async (/** @type {string} */ name) => (await fetch(name)).blob();
        const files = [await blob("/model.gguf"), await blob("/adapter.gguf")];
        const wllama = new Wllama({ default: "/wllama/wasm/wllama.wasm" }, { suppressNativeLog: true });
        // The second file under the name that wllama gives it; only the first is read as a model.
        const lora = { lora_adapters: [{ path: "models/model-00002-of-00002.gguf" }] };
        await wllama.loadModel(files, { n_ctx: 256, n_gpu_layers: 0, n_threads: 1, warmup: false, ...lora });
        const answers = [];
        for (const { text, most } of questions) {
          const settings = { max_tokens: most, temperature: 0, logprobs: 1 };
          const { choices } = await wllama.createCompletion({ prompt: text, ...settings });
          answers.push(choices[0].logprobs.content.map((/** @type {{ id: number }} */ { id }) => id));
        }
        await wllama.exit();
        return answers;
      }, questions);
      for (const [index, { question, tuned }] of asked.entries()) {
        // The token that ends the answer is not among them.
        assert.deepEqual(found[index], tuned.ids.slice(0, found[index].length), question);
        assert.ok(found[index].length >= tuned.ids.length - 1, question);
      }
    });
  });
});
