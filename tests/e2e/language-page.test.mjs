/**
 * The built page with a tiny random Llama: a person tunes a language model, reads what it writes, and saves the result in every
 * format.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { strFromU8, unzipSync } from "fflate";
import { LanguagePage } from "./support/language-page.mjs";
import { openSite } from "./support/site.mjs";
import { tinyLanguageModel } from "./support/tiny-language.mjs";

const GGUF = "GGUF";

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

async function openDesk() {
  const { page, close } = await site.open();
  const desk = new LanguagePage(page.raw);
  await desk.choose();
  await desk.chooseDevice("cpu");
  return { page: desk, close };
}

test("an answer that is too long is left out by a press, and the others train", async () => {
  const { page, close } = await openDesk();
  await page.chooseTiny();
  await page.loadModel();
  const row = (/** @type {string} */ completion) => JSON.stringify({ prompt: "a", completion });
  const good = Array.from({ length: 8 }, (_, index) => row(` word ${index}`));
  await page.pasteTexts([row(" long".repeat(200)), ...good].join("\n"), /^Read 9 texts/);
  await page.setOptions({ numTrainEpochs: "1", maxLength: "32", sampleTokens: "0" });
  await page.start();
  await page.trainError(/row 1: the answer has .* leave it out \(skipBad\)/);
  await page.startAsAdvised();
  assert.equal((await page.finished()).reason, "completed");
  await page.reads("train-warnings", /1 row is left out/);
  await close();
});

test("from a model's files to a tuned model that writes, its files, and back again", async () => {
  const { page, close } = await openDesk();
  await page.chooseTiny();
  // Before any weight is read.
  await page.reads("budget-verdict", /takes up to .* of the .*It fits/s);
  assert.equal(await page.at("model-ready").count(), 0);
  await page.loadModel();
  await page.reads("model-ready", /llama.*ChatML/s);

  const counted = await page.useBuiltInTexts();
  assert.ok(Number.parseInt(counted, 10) >= 20, counted);
  const { text, learnt } = await page.openText(0);
  assert.match(text, /user[\s\S]*Do you have rye bread today\?[\s\S]*assistant/);
  assert.equal(learnt.length, 1, "one answer is learnt");
  assert.match(`${learnt[0]}`, /^Yes, rye comes out of the oven at seven\./);
  assert.ok(!`${learnt[0]}`.includes("Do you have"), "the question is not");

  // The untuned model writes before any run.
  const untuned = await page.write("Do you have rye bread today?");
  assert.equal(untuned.tuned, undefined);

  await page.setOptions({ numTrainEpochs: "4", learningRate: "0.01", maxLength: "96", sampleTokens: "8" });
  await page.start();
  await page.progress(/step \d+ of \d+, .*tokens a second/);
  const { reason } = await page.finished();
  assert.ok(reason === "completed" || reason === "earlyStopping", `${reason}`);
  for (const plot of ["plot-loss", "plot-perplexity", "plot-rate", "samples"]) await page.at(plot).waitFor();
  await page.reads("train-facts", /texts for training, .*for validation\. .*tokens, .*learned/);
  const rows = await page.at("likelihoods").locator("tbody tr").allInnerTexts();
  const perplexity = (/** @type {number} */ index) => Number(`${rows.at(index)}`.split("\t")[1]);
  assert.ok(perplexity(-1) < perplexity(0), rows.join("\n"));
  assert.ok(await page.leavingIsHeld(), "an adapter that was not exported is guarded");

  const tried = await page.write("Do you have rye bread today?");
  assert.equal(tried.base, untuned.base, "the untuned model is as it was");
  assert.notEqual(tried.tuned, tried.base);

  await page.at("labels-drawer").locator("summary").click();
  await page.at("label-text").fill("Where is my cake?");
  await page.at("labels").fill("order, opening hours");
  await page.at("rank").click();
  for (const which of ["ranked-base", "ranked-tuned"]) await page.reads(which, /order[\s\S]*%[\s\S]*opening hours/);

  const { name, bytes } = await page.export(() => page.at("export-peft").click());
  assert.match(name, /-adapter\.zip$/);
  const files = unzipSync(bytes);
  assert.equal(JSON.parse(strFromU8(files["adapter_config.json"] ?? new Uint8Array())).task_type, "CAUSAL_LM");
  assert.ok(files["continue.py"], Object.keys(files).join(", "));
  await page.reads("export-note", /was handed to the browser/);
  assert.ok(!(await page.leavingIsHeld()));

  const gguf = await page.export(() => page.at("export-gguf").click());
  assert.match(gguf.name, /\.gguf$/);
  assert.equal(gguf.bytes.subarray(0, 4).toString(), GGUF);

  await page.importZip(name, bytes);
  await page.reads("import-note", /loaded/);
  const again = await page.write("Do you have rye bread today?");
  assert.equal(again.tuned, tried.tuned);
  await close();
});

test("a merged model goes to a folder file by file, or into a zip where the browser has no such dialog", async () => {
  const { page, close } = await openDesk();
  await page.chooseTiny();
  await page.loadModel();
  await page.useBuiltInTexts();
  await page.setOptions({ numTrainEpochs: "1", sampleTokens: "0", fewShotExamples: "0", maxLength: "96" });
  await page.start();
  await page.finished();

  // The dialog cannot be pressed here; the origin's own folder is a folder as the dialog gives one.
  await page.raw.evaluate(() => {
    Reflect.set(window, "showDirectoryPicker", () => navigator.storage.getDirectory());
  });
  await page.at("export-merged").click();
  await page.reads("export-note", /files were written to the folder/);
  const written = await page.raw.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    /** @type {Record<string, number[]>} */
    const found = {};
    for await (const [folder, handle] of root.entries()) {
      if (!(handle instanceof FileSystemDirectoryHandle)) continue;
      for await (const [name, file] of handle.entries()) {
        if (!(file instanceof FileSystemFileHandle)) continue;
        found[`${folder}/${name}`] = [...new Uint8Array(await (await file.getFile()).arrayBuffer())];
      }
    }
    return found;
  });

  // A second time, next to the first one, which is left alone.
  await page.at("export-merged").click();
  await page.reads("export-note", /-merged-2\.$/);

  await page.raw.evaluate(() => {
    Reflect.set(window, "showDirectoryPicker", undefined);
  });
  const { name, bytes } = await page.export(() => page.at("export-merged").click());
  assert.match(name, /-merged\.zip$/);
  const zipped = unzipSync(bytes);
  assert.ok(
    zipped["config.json"] && zipped["model.safetensors"] && zipped["tokenizer.json"],
    Object.keys(zipped).join(),
  );
  const folder = name.replace(/\.zip$/, "");
  assert.deepEqual(
    Object.keys(written).sort(),
    Object.keys(zipped)
      .map((path) => `${folder}/${path}`)
      .sort(),
  );
  for (const [path, content] of Object.entries(zipped)) {
    assert.ok(
      Buffer.from(written[`${folder}/${path}`] ?? []).equals(Buffer.from(content)),
      `${path} is the same in both`,
    );
  }
  await close();
});

test("a folder that cannot be written to its end is removed, and the first reason is the one that is said", async () => {
  const { page, close } = await openDesk();
  await page.chooseTiny();
  await page.loadModel();
  await page.useBuiltInTexts();
  // Of the whole model no files are kept, so leaving is held until it is written.
  await page.setOptions({
    "method.type": "full",
    numTrainEpochs: "1",
    sampleTokens: "0",
    fewShotExamples: "0",
    maxLength: "96",
  });
  await page.start();
  await page.finished();
  // A disk that is full in the middle of the weights, and a stream that cannot be ended once it has failed.
  await page.raw.evaluate(() => {
    const { abort, write } = FileSystemWritableFileStream.prototype;
    Reflect.set(window, "showDirectoryPicker", () => navigator.storage.getDirectory());
    FileSystemWritableFileStream.prototype.write = function (data) {
      if (data instanceof Uint8Array && data.length > 10_000) return Promise.reject(new Error("the disk is full"));
      return write.call(this, data);
    };
    FileSystemWritableFileStream.prototype.abort = async function () {
      await abort.call(this);
      throw new Error("the stream has failed");
    };
  });
  const folders = () =>
    page.raw.evaluate(async () => {
      const names = [];
      for await (const name of (await navigator.storage.getDirectory()).keys())
        if (/merged/.test(name)) names.push(name);
      return names;
    });
  await page.at("export-merged").click();
  assert.equal(await page.reads("export-error", /./), "the disk is full");
  assert.deepEqual(await folders(), []);
  assert.equal(await page.leavingIsHeld(), true);

  // If it cannot be removed either, both reasons are said, and a file in it says that others are missing.
  await page.raw.evaluate(() => {
    FileSystemDirectoryHandle.prototype.removeEntry = () => Promise.reject(new Error("it is in use"));
  });
  await page.at("export-merged").click();
  await page.reads("export-error", /the disk is full\. What was written to .* could not be removed \(it is in use\)/);
  const [left] = await folders();
  const names = await page.raw.evaluate(async (folder) => {
    const found = [];
    const handle = await (await navigator.storage.getDirectory()).getDirectoryHandle(folder);
    for await (const name of handle.keys()) found.push(name);
    return found;
  }, `${left}`);
  assert.ok(names.includes("NOT-COMPLETE.txt"), names.join());
  await close();
});

test("where a run does not fit, the page says what to change before anything is loaded", async () => {
  const { page, close } = await openDesk();
  const files = tinyLanguageModel();
  const config = JSON.parse(`${files["config.json"]}`);
  // Nothing of a model is read but this.
  const shaped = (/** @type {object} */ sizes) =>
    page.chooseTiny({ ...files, "config.json": Buffer.from(JSON.stringify({ ...config, ...sizes })) });
  const large = { hidden_size: 4096, num_hidden_layers: 32, num_attention_heads: 32, num_key_value_heads: 32 };
  const vocabulary = { vocab_size: 32000, max_position_embeddings: 4096 };
  await shaped({ ...large, ...vocabulary, intermediate_size: 11008 });
  await page.reads("budget-verdict", /It does not fit/);
  await page.reads("budget-remedies", /8-bit weights.*tokens at most.*all of these together: .*too much/s);
  const billion = { hidden_size: 2048, num_hidden_layers: 22, num_attention_heads: 32, num_key_value_heads: 4 };
  await shaped({ ...billion, ...vocabulary, intermediate_size: 5632 });
  await page.reads("budget-remedies", /8-bit weights: \S+ GB\s+fits/);
  // All weights train: rounded ones cannot, and the page says so before a run does.
  await page.setOptions({ "method.type": "full" });
  await page.chooseStorage("int8");
  await page.reads("budget-error", /full trains the weights themselves.*f32/);
  await page.setOptions({ "method.type": "" });
  const before = await page.at("budget-verdict").innerText();
  await page.chooseStorage("int4");
  await page.raw.waitForFunction(
    (old) => document.querySelector('[data-testid="budget-verdict"]')?.textContent !== old,
    before,
  );
  await page.reads("budget-verdict", /4-bit weights, .*gradient checkpointing/);
  await close();
});

test("what cannot be used gets a clear message and loses nothing", async () => {
  const { page, close } = await openDesk();
  const files = tinyLanguageModel({ sharded: true });
  const { "model-00002-of-00002.safetensors": _half, ...missing } = files;
  await page.chooseTiny(missing);
  await page.pressLoad();
  await page.modelError(/model-00002-of-00002\.safetensors/);
  await page.chooseTiny(files);
  await page.chooseStorage("int8");
  await page.loadModel();
  await page.reads("model-ready", /8-bit/);

  await page.pasteTexts('{"prompt": "a", "completion": "b"}\n{"prompt": "c", "completion": "d"}');
  await page.at("paste").fill('{"label": "x"}');
  await page.at("paste-read").click();
  await page.reads("texts-error", /pasted text, row 1: .*expected/s);
  await page.reads("texts-count", /2 texts/);

  // An answer longer than the context is refused where it is seen, and by the run.
  await page.pasteTexts(
    JSON.stringify([
      { prompt: "a", completion: "long ".repeat(400) },
      { prompt: "a", completion: "b" },
    ]),
  );
  await page.at("text-row").nth(0).click();
  await page.reads("text-refused", /row 1.*tokens/s);
  await page.start();
  await page.trainError(/row 1.*tokens/s);
  await page.at("undo-texts").click();
  await page.reads("texts-count", /2 texts/);

  await page.setOptions({ learningRate: "fast" });
  await page.start();
  await page.reads("option-learningRate-error", /expected a number, found "fast"/);

  // Pasted texts are in no file until they are saved.
  assert.ok(await page.leavingIsHeld());
  await page.export(() => page.at("save-texts").click());
  assert.ok(!(await page.leavingIsHeld()));
  await close();
});

test("texts that were asked to be remembered are there after a reload, and the address keeps the desk", async () => {
  const { page, close } = await openDesk();
  await page.useBuiltInTexts();
  await page.at("remember").check();
  await page.at("text-row").nth(0).click();
  await page.at("remove-text").click();
  const left = await page.at("texts-count").innerText();
  await page.raw.waitForTimeout(300);
  await page.raw.reload();
  await page.reads("texts-note", /remembered on this device/);
  assert.equal(await page.at("texts-count").innerText(), left);

  // The other desk is untouched, and a switch back loses nothing, not even what is half typed.
  await page.chooseTiny();
  await page.reads("budget-verdict", /takes up to/);
  await page.loadModel();
  await page.at("try-prompt").fill("half a prompt");
  await page.at("task-classify").check({ force: true });
  await page.at("examples-drop").waitFor();
  await page.choose();
  assert.equal(await page.at("texts-count").innerText(), left);
  assert.equal(await page.at("try-prompt").inputValue(), "half a prompt");
  await page.reads("chosen-files", /3 files/);
  await page.reads("budget-verdict", /takes up to/);
  await close();
});

test("a run is paused, goes on and is stopped; after a crash of the engine its adapter writes on", async () => {
  const { page, close } = await openDesk();
  await page.chooseTiny();
  await page.loadModel();
  await page.useBuiltInTexts();
  await page.setOptions({ numTrainEpochs: "500", earlyStoppingPatience: "0", sampleTokens: "0", fewShotExamples: "0" });
  await page.start();
  await page.progress(/step \d+ of/);
  await page.at("pause").click();
  await page.progress(/^Paused/);
  await page.at("resume").click();
  await page.at("stop").click();
  const { reason } = await page.finished();
  assert.equal(reason, "stopped");

  await page.at("export-peft").waitFor();
  await page.at("export-files").waitFor({ state: "attached" });
  await page.crashWorkers();
  const { base, tuned } = await page.write("When do you open?");
  assert.equal(typeof base, "string");
  assert.equal(typeof tuned, "string");
  await page.waitForModel();
  assert.ok(await page.at("start").isEnabled());
  assert.ok((await page.export(() => page.at("export-peft").click())).bytes.length > 0);
  await close();
});
