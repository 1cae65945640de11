/**
 * What only the engine itself can show of a tiny language model in the bundled package: a merged folder at its reader's pace, and a storage
 * that the adapter can't compute in.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBundle } from "./support/bundled-page.mjs";
import { tinyLanguageModel } from "./support/tiny-language.mjs";

const SCRIPT = `
  import { LanguageModel } from "webtune";

  const source = { url: "model/" };
  const sizesOf = (pieces) => pieces.map((piece) => piece.open ?? piece.length ?? "close");

  async function merged() {
    const tuner = await LanguageModel.load(source, { device: "cpu" });
    const rows = Array.from({ length: 8 }, (_, index) => ({ row: index + 1, content: { text: "The cat says meow." } }));
    const train = async () => {
      for await (const _ of tuner.train(rows, { numTrainEpochs: 1, maxLength: 32, sampleTokens: 0 }));
    };
    await train();
    const pieces = () => tuner.exportPieces({ format: "merged" });
    const whole = [];
    for await (const piece of pieces()) whole.push(piece);
    let received = 0;
    const fill = async () => {
      for await (const _ of pieces()) {
        received += 1;
        if (received === 5) throw new Error("the disk is full");
        // Another run, and a text, come in between.
        if (received === 2) await train();
        if (received === 3) await tuner.generate("The", { maxNewTokens: 2 });
      }
    };
    const ended = await fill().catch((error) => error.message);
    const again = [];
    for await (const piece of pieces()) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      again.push(piece);
    }
    const { text } = await tuner.generate("The cat", { maxNewTokens: 4 });
    tuner.dispose();
    return { whole: sizesOf(whole), again: sizesOf(again), received, ended, text };
  }

  async function half() {
    const adapter = await navigator.gpu?.requestAdapter();
    const able = adapter?.features.has("shader-f16");
    const loading = LanguageModel.load(source, { device: "webgpu", storage: "f16" });
    const outcome = await loading.then(
      (tuner) => tuner.dispose(),
      ({ code, message }) => ({ code, message }),
    );
    return { adapter: Boolean(adapter), able, outcome };
  }

  /** A run that needs more than there is, on an engine that was told of more than there is. */
  async function exhausted(maxLength) {
    const load = () => LanguageModel.load({ url: "long/" }, { device: "cpu", memoryLimitBytes: 1e12 });
    const tuner = await load();
    const content = { text: "The cat says meow. ".repeat(maxLength / 4) };
    const rows = [1, 2].map((row) => ({ row, content }));
    const options = { maxLength, trainBatchSize: 1, sampleTokens: 0, fewShotExamples: 0, gradientCheckpointing: false };
    const outcome = await tuner.train(rows, options).result().catch(({ code, message }) => ({ code, message }));
    const closed = tuner.closed?.code;
    const after = await tuner.generate("The", { maxNewTokens: 1, which: "baseline" }).catch(({ code }) => code);
    const again = await load();
    const { text } = await again.generate("The cat", { maxNewTokens: 2, which: "baseline" });
    again.dispose();
    return { outcome, closed, after, text };
  }

  globalThis.jobs = { merged, half, exhausted };
`;

/** @type {Awaited<ReturnType<typeof openBundle>>} */
let page;
before(async () => {
  page = await openBundle(SCRIPT, {
    "/model/": tinyLanguageModel(),
    "/long/": tinyLanguageModel({ positions: 65536 }),
  });
});
after(() => page?.close());

test("a merged folder is written at its reader's pace, and a reader that fails leaves the tuner usable", async () => {
  const { whole, again, received, ended, text } = await page.job("merged");
  assert.equal(ended, "the disk is full");
  assert.equal(received, 5);
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
});

test("f16 is refused by name where the adapter does not compute in it", async () => {
  const { adapter, able, outcome } = await page.job("half");
  assert.ok(adapter, "this Chromium has a WebGPU adapter, a software one at least");
  if (able) assert.equal(outcome, undefined);
  else {
    assert.equal(outcome.code, "invalidOption");
    assert.match(outcome.message, /^storage: .*f16/);
  }
});

for (const [tokens, how] of /** @type {[number, RegExp][]} */ ([
  [60_000, /capacity overflow/],
  [11_000, /refused \d+ MiB more/],
])) {
  test(`texts of ${tokens} tokens, for which memory does not suffice, end the engine under that code and leave the next one whole`, async () => {
    const { outcome, closed, after, text } = await page.job("exhausted", tokens);
    assert.equal(outcome.code, "outOfMemory", outcome.message);
    assert.match(outcome.message, how);
    assert.equal(closed, "outOfMemory");
    assert.equal(after, "outOfMemory");
    assert.equal(typeof text, "string");
  });
}
