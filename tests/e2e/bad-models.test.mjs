/**
 * Model files with one thing wrong each: the page shows one clear message, and still works.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { csv } from "./support/rows.mjs";
import { openSite } from "./support/site.mjs";
import { changed, safetensors, smallVocabulary, tensors, tinyModel } from "./support/tiny-model.mjs";

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

const QUERY = "encoder.layer.1.attention.self.query.weight";

/** @type {[string, () => Parameters<typeof tinyModel>[0], RegExp][]} */
const cases = [
  [
    "truncated safetensors",
    () => {
      const whole = safetensors(tensors());
      return { weights: whole.subarray(0, whole.length - 1000) };
    },
    /model\.safetensors: .*/,
  ],
  [
    "safetensors cut inside its header",
    () => ({ weights: safetensors(tensors()).subarray(0, 200) }),
    /model\.safetensors: /,
  ],
  [
    "safetensors with an oversized header",
    () => {
      const weights = Buffer.from(safetensors(tensors()));
      weights.writeBigUInt64LE(2n ** 60n);
      return { weights };
    },
    /model\.safetensors: .*header/i,
  ],
  [
    "wrong dtype",
    () => ({ weights: changed((all) => Object.assign(all.get(QUERY) ?? {}, { dtype: "I32" })) }),
    /layer\.1\.attention\.self\.query\.weight.*F32, F16 or BF16.*I32/,
  ],
  [
    "missing tensor",
    () => ({ weights: changed((all) => all.delete(QUERY)) }),
    /layer\.1\.attention\.self\.query\.weight.*missing/,
  ],
  [
    "wrong shape",
    () => ({ weights: changed((all) => Object.assign(all.get(QUERY) ?? {}, { shape: [64, 16] })) }),
    /layer\.1\.attention\.self\.query\.weight.*\[32, 32\].*\[64, 16\]/,
  ],
  [
    "NaN weights",
    () => ({ weights: changed((all) => all.get(QUERY)?.bytes.set([0, 0, 192, 127], 40)) }),
    /layer\.1\.attention\.self\.query\.weight.*NaN.*10/,
  ],
  [
    "unsupported architecture",
    () => ({ config: { model_type: "t5", architectures: ["T5ForConditionalGeneration"] } }),
    /config\.json.*t5/i,
  ],
  [
    "tokenizer far larger than the embedding table",
    smallVocabulary,
    /tokenizer\.json.*1099.*vocab_size of config\.json is 900/,
  ],
  ["empty weights", () => ({ weights: Buffer.alloc(0) }), /model\.safetensors: /],
];

describe("bad model files", () => {
  for (const [name, wrong, message] of cases) {
    test(name, async () => {
      const { page, close } = await site.open();
      await page.chooseDevice("cpu");
      await page.paste(csv(4));
      await page.chooseModelFiles(tinyModel(wrong()));
      await page.pressLoad();
      const shown = await page.modelError(message);
      assert.ok(!shown.includes("\n"), `one message: ${shown}`);
      // Nothing is lost, and the page still works.
      assert.match(await page.at("examples-count").innerText(), /^8 /);
      await page.chooseModelFiles(tinyModel());
      await page.loadModel();
      assert.equal(await page.at("model-error").innerText(), "");
      await close();
    });
  }

  test("a model that loaded stays when the next one is bad", async () => {
    const { page, close } = await site.open();
    await page.chooseDevice("cpu");
    await page.chooseModelFiles(tinyModel());
    await page.loadModel();
    await page.chooseModelFiles(tinyModel({ weights: Buffer.alloc(0) }));
    await page.pressLoad();
    await page.modelError(/model\.safetensors/);
    await page.paste(csv(8));
    await page.setOptions({ numTrainEpochs: "1" });
    await page.start();
    assert.equal((await page.finished()).reason, "completed");
    await close();
  });

  test("a missing file is named", async () => {
    const { page, close } = await site.open();
    await page.chooseModelFiles(tinyModel().filter(({ name }) => name !== "tokenizer.json"));
    await page.pressLoad();
    await page.modelError(/tokenizer\.json is missing/);
    await close();
  });
});
