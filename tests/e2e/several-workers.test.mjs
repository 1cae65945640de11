/**
 * Workers that train one model together: the result of one alone, to the last bit, also where one of them dies.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBundle } from "./support/bundled-page.mjs";
import { tinyLanguageModel } from "./support/tiny-language.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

const SCRIPT = `
  import { LanguageModel, TextClassifier } from "webtune";

  const words = ["the quiet story", "a short label", "many played query", "spring times single"];
  const long = (index, from) => Array.from({ length: 12 }, (_, at) => words[(index + at * from) % 4]).join(" ");
  const examples = Array.from({ length: 24 }, (_, index) => ({ text: long(index, 1 + (index % 2)), label: index % 2 ? "odd" : "even" }));
  const texts = Array.from({ length: 10 }, (_, index) => ({ row: index + 1, content: { text: "The cat says meow. ".repeat(20 + index) } }));

  // To end one of them, as a browser does that lacks memory.
  const workers = [];
  globalThis.Worker = class extends Worker {
    constructor(...given) {
      super(...given);
      workers.push(this);
    }
  };

  const classifier = {
    load: (options) => TextClassifier.load({ url: "classifier/" }, { device: "cpu", ...options }),
    train: (tuner, rest) => tuner.train(examples, {
      method: { type: "lora", loraDropout: 0.2 }, numTrainEpochs: 3, trainBatchSize: 16, headInit: "random", contrastive: false, seed: 5, ...rest,
    }),
    use: async (tuner) => [await tuner.predict(examples.map(({ text }) => text)), await tuner.evaluate(examples)],
  };
  const language = {
    load: (options) => LanguageModel.load({ url: "language/" }, { device: "cpu", ...options }),
    train: (tuner, rest) => tuner.train(texts, { numTrainEpochs: 3, trainBatchSize: 8, maxLength: 128, sampleTokens: 2, seed: 5, ...rest }),
    use: async (tuner) => [
      await tuner.evaluate(texts, { maxLength: 128 }),
      await tuner.classify(["The cat", "A dog"], ["meow", "woof"]),
    ],
  };

  const bytesOf = (files) => files.map(({ path, bytes }) => [path, Array.from(bytes)]);

  /** All that a run and its use give. \`dies\`: a worker is ended after this many steps. */
  async function whole({ task, count, dies, stopsAt }) {
    const { load, train, use } = { classifier, language }[task];
    const notices = [];
    const tuner = await load({ workers: count, onProgress: (step) => step.notice && notices.push(step.notice) });
    const events = [];
    let steps = 0;
    const run = train(tuner);
    for await (const { ms, ...event } of run) {
      if (event.type !== "progress") events.push(event);
      if (event.type !== "step") continue;
      steps += 1;
      if (steps === dies) workers.at(-1).terminate();
      if (steps === stopsAt) run.stop();
    }
    const files = bytesOf(await tuner.export());
    const used = await use(tuner);
    // What was exported is taken back by all of them.
    await tuner.import(files.map(([path, bytes]) => ({ path, bytes: Uint8Array.from(bytes) })));
    const after = task === "classifier" ? await tuner.predict(examples.map(({ text }) => text)) : undefined;
    // A run after it goes on with those that are left.
    await train(tuner, { numTrainEpochs: 1 }).result();
    const again = bytesOf(await tuner.export());
    const { workers: computing } = tuner.device;
    tuner.dispose();
    return { events, files, used, after, again, computing, notices };
  }

  async function refused(count) {
    return classifier.load({ workers: count }).then(() => undefined, ({ code, message }) => ({ code, message }));
  }

  /** Resumed with another number than it began with. */
  async function resumed({ task, counts: [before, after] }) {
    const { load, train } = { classifier, language }[task];
    const states = [];
    const first = await load({ workers: before });
    await train(first, { numTrainEpochs: 20, checkpoint: { everySeconds: 0, write: (bytes) => states.push(bytes) } }).result();
    const expected = bytesOf(await first.export());
    first.dispose();
    const second = await load({ workers: after });
    const rows = task === "classifier" ? examples : texts;
    await second.resume(states[Math.floor(states.length / 2)], rows).result();
    const found = bytesOf(await second.export());
    second.dispose();
    return { states: states.length, expected, found };
  }

  globalThis.jobs = { whole, refused, resumed };
`;

/** @type {Awaited<ReturnType<typeof openBundle>>} */
let page;
before(async () => {
  const classifier = Object.fromEntries(tinyModel().map(({ name, buffer }) => [name, buffer]));
  page = await openBundle(SCRIPT, { "/classifier/": classifier, "/language/": tinyLanguageModel() });
});
after(() => page?.close());

for (const task of ["classifier", "language"]) {
  test(`${task}: two and three workers give what one gives, and so do those that are left`, async () => {
    const { computing, notices, ...alone } = await page.job("whole", { task, count: 1 });
    assert.equal(computing, 1);
    assert.ok(alone.events.filter((/** @type {any} */ { type }) => type === "step").length > 2);
    for (const [count, dies] of [
      [2, undefined],
      [3, undefined],
      [3, 2],
    ]) {
      const { computing, notices, ...found } = await page.job("whole", { task, count, dies });
      assert.equal(computing, count);
      assert.deepEqual(notices, []);
      assert.deepEqual(found, alone, `${count} workers, one of them ended after step ${dies}`);
    }
  });

  test(`${task}: a run is stopped, and one is resumed, by another number of workers`, async () => {
    const [alone, both] = [
      await page.job("whole", { task, count: 1, stopsAt: 2 }),
      await page.job("whole", { task, count: 2, stopsAt: 2 }),
    ];
    assert.equal(both.events.at(-1).reason, "stopped");
    assert.equal(alone.events.at(-1).reason, "stopped");
    const { states, expected, found } = await page.job("resumed", { task, counts: [2, 3] });
    // How many there are is the clock's: making them takes no more than its share of the run.
    assert.ok(states > 0);
    assert.deepEqual(found, expected);
  });
}

test("what is no number of workers is refused", async () => {
  for (const count of [0, 2.5, 100, "many"]) {
    const { code, message } = await page.job("refused", count);
    assert.equal(code, "invalidOption");
    assert.match(message, /workers: expected "auto" or a whole number from 1 to 64/);
  }
});
