/**
 * Proves that a program of somebody else uses the package in Node, with the same numbers as in a browser.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { chromium } from "playwright-core";
import { chromiumFlags, ensureChromium } from "../../scripts/chromium.mjs";
import { serve } from "../../scripts/static-server.mjs";
import { csv } from "../e2e/support/rows.mjs";
import { tinyLanguageModel } from "../e2e/support/tiny-language.mjs";
import { tinyModel } from "../e2e/support/tiny-model.mjs";
import { startHubStub } from "../hub-stub.mjs";
import { install, temporary } from "./packed.mjs";

/** What runs in both places; the answer is JSON. */
const JOB = `import { LanguageModel, parseExamples, parseTextRows, TextClassifier } from "webtune";

async function hashOf(bytes) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function hashes(model) {
  const files = await model.export();
  return Object.fromEntries(await Promise.all(files.map(async ({ path, bytes }) => [path, await hashOf(bytes)])));
}

const CLASSIFY = { method: { type: "lora", r: 4, loraDropout: 0.1 }, numTrainEpochs: 3, trainBatchSize: 4, seed: 7 };
const LANGUAGE = { method: { type: "lora", r: 4 }, numTrainEpochs: 2, learningRate: 1e-3, maxLength: 64, seed: 7 };

async function losses(run) {
  const found = [];
  for await (const event of run) if (event.type === "step") found.push(event.loss);
  return found;
}

export async function job(classifierSource, languageSource, rows, texts) {
  const classifier = await TextClassifier.load(classifierSource, { device: "cpu" });
  const classifyLosses = await losses(classifier.train((await parseExamples(rows, "rows.csv")).rows, CLASSIFY));
  const [prediction] = await classifier.predict(["the quiet story"]);
  const adapter = await hashes(classifier);
  classifier.dispose();
  const model = await LanguageModel.load(languageSource, { device: "cpu" });
  const parsed = await parseTextRows({ name: "texts.jsonl", text: texts });
  const languageLosses = await losses(model.train(parsed.rows, LANGUAGE));
  const { text } = await model.generate("The cat", { maxNewTokens: 6 });
  const language = await hashes(model);
  model.dispose();
  return { classifyLosses, prediction, adapter, languageLosses, text, language };
}
`;

const TEXTS = Array.from({ length: 12 }, (_, index) =>
  JSON.stringify({ prompt: `${index}: the ${index % 2 ? "cat" : "dog"}`, completion: " says meow." }),
).join("\n");

/** @type {string} */
let folder;
before(() => {
  folder = temporary();
  install(folder);
  for (const name of ["tiny", "tiny language"]) mkdirSync(join(folder, name));
  for (const { name, buffer } of tinyModel()) writeFileSync(join(folder, "tiny", name), buffer);
  for (const [name, bytes] of Object.entries(tinyLanguageModel())) {
    writeFileSync(join(folder, "tiny language", name), bytes);
  }
  writeFileSync(join(folder, "job.js"), JOB);
  writeFileSync(join(folder, "rows.csv"), csv(20));
});

/** Runs a program of one module in the folder. @param {string} source @param {string[]} args */
function program(source, ...args) {
  const file = join(folder, "program.js");
  writeFileSync(file, source);
  return spawnSync(process.execPath, [file, ...args], { cwd: folder, encoding: "utf8", timeout: 120_000 });
}

/** What a program printed as JSON. @param {string} source @param {string[]} args */
function answerOf(source, ...args) {
  const { status, signal, stdout, stderr } = program(source, ...args);
  assert.equal(status, 0, `${signal ?? ""}${stderr}`);
  assert.equal(stderr, "");
  return JSON.parse(stdout);
}

test("both tasks train, predict and export in Node as they do in a browser, to the last bit", async () => {
  const inNode = answerOf(
    `import { job } from "./job.js";
     const sources = [{ folder: "tiny" }, { url: new URL("tiny language/", import.meta.url).href, name: "language" }];
     console.log(JSON.stringify(await job(...sources, ...JSON.parse(process.argv[2]))));`,
    JSON.stringify([csv(20), TEXTS]),
  );
  assert.ok(inNode.classifyLosses.length > 0 && inNode.languageLosses.length > 0);
  assert.ok(["story", "label"].includes(inNode.prediction.label));
  assert.ok(inNode.adapter["adapter_model.safetensors"] && inNode.language["adapter_model.safetensors"]);
  assert.deepEqual(inNode, await inBrowser());
});

/** The same job on a page without a bundler. */
async function inBrowser() {
  const imports = JSON.stringify({ imports: { webtune: "./node_modules/webtune/pkg/index.js" } });
  writeFileSync(
    join(folder, "index.html"),
    `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="importmap">${imports}</script>
     <script type="module">import { job } from "./job.js"; globalThis.job = job;</script>`,
  );
  const { chromium: executablePath } = await ensureChromium();
  const server = await serve({ mounts: { "/": folder } });
  const browser = await chromium.launch({ executablePath, headless: true, args: chromiumFlags });
  try {
    const page = await browser.newPage();
    await page.goto(server.origin);
    await page.waitForFunction("globalThis.job");
    return await page.evaluate(
      ([rows, texts]) => {
        const { job } = /** @type {any} */ (globalThis);
        return job({ url: "tiny/", name: "tiny" }, { url: "tiny%20language/", name: "language" }, rows, texts);
      },
      [csv(20), TEXTS],
    );
  } finally {
    await browser.close();
    await server.close();
  }
}

test("a run goes on, to the last bit, after its worker has died", () => {
  const { code, closed, resumed, whole } = answerOf(`
    import { readFile } from "node:fs/promises";
    import { parseExamples, TextClassifier } from "webtune";

    let worker;
    process.on("worker", (started) => { worker = started; });
    await parseExamples("text,label\\na,b", "other.csv");
    // The one that reads files: the next call has a new one.
    await worker.terminate();
    const { rows } = await parseExamples(await readFile("rows.csv"), "rows.csv");
    const load = () => TextClassifier.load({ folder: "tiny" }, { device: "cpu" });
    const options = { method: { type: "lora", r: 4 }, numTrainEpochs: 4, trainBatchSize: 4, contrastive: false, seed: 3 };
    const weights = async (model) => {
      const files = await model.export();
      model.dispose();
      return files.find(({ path }) => path === "adapter_model.safetensors").bytes.toString();
    };

    const states = [];
    const cut = await load();
    let code;
    try {
      const checkpoint = { everySeconds: 0, write: (bytes) => states.push(bytes) };
      for await (const { type, step } of cut.train(rows, { ...options, checkpoint })) {
        if (type === "step" && step > 12 && states.length > 1) await worker.terminate();
      }
    } catch (error) {
      code = error.code;
    }
    const again = await load();
    await again.resume(states.at(-1), rows).result();
    const uncut = await load();
    await uncut.train(rows, options).result();
    console.log(JSON.stringify({
      code,
      closed: cut.closed?.message,
      resumed: await weights(again),
      whole: await weights(uncut),
    }));
  `);
  assert.equal(code, "crashed");
  assert.match(closed, /the worker failed: it ended/);
  assert.equal(resumed, whole);
});

test("a model comes from a hub and from a web server, a transfer that was cut included", async () => {
  const hub = await startHubStub({ repositories: { "somebody/tiny": join(folder, "tiny") }, cutFirst: 1 });
  try {
    const file = join(folder, "web.js");
    writeFileSync(
      file,
      `import { TextClassifier } from "webtune";
      const told = [];
      const load = async (source) => {
        const model = await TextClassifier.load(source, { device: "cpu", onProgress: (event) => told.push(event) });
        model.dispose();
        return [model.model.parameters, model.base];
      };
      const [, , hubUrl, url] = process.argv;
      const found = [await load({ repository: "somebody/tiny", hubUrl }), await load({ url })];
      console.log(JSON.stringify({ found, notices: told.filter(({ notice }) => notice !== undefined) }));`,
    );
    // Not in step with this process, which is the server.
    const child = spawn(process.execPath, [file, hub.url, `${hub.storageUrl}/somebody/tiny/`], { cwd: folder });
    let [printed, said] = ["", ""];
    child.stdout.on("data", (data) => {
      printed += data;
    });
    child.stderr.on("data", (data) => {
      said += data;
    });
    const code = await new Promise((done) => child.once("close", done));
    assert.equal(code, 0, said);
    const { found, notices } = JSON.parse(printed);
    assert.deepEqual(found[0], [57568, { name: "somebody/tiny", isKnown: true }]);
    assert.equal(found[1][0], 57568);
    assert.deepEqual(notices, [], "nobody expects that models are kept");
  } finally {
    await hub.close();
  }
});

test("an abort ends a run and a load; a program ends by itself, its models not disposed of", () => {
  const answer = answerOf(`
    import { readFile } from "node:fs/promises";
    import { parseExamples, TextClassifier } from "webtune";

    const codeOf = (promise) => promise.then(() => "done", ({ code }) => code);
    const { rows } = await parseExamples(await readFile("rows.csv"), "rows.csv");
    const model = await TextClassifier.load({ folder: "tiny" }, { device: "cpu" });
    const run = model.train(rows, { numTrainEpochs: 500, signal: AbortSignal.timeout(500) });
    const aborted = await codeOf(run.result());
    const [{ label }] = await model.predict(["the quiet story"]);
    const unloaded = await codeOf(TextClassifier.load({ folder: "tiny" }, { device: "cpu", signal: AbortSignal.abort() }));
    console.log(JSON.stringify({ aborted, label: typeof label, unloaded }));
  `);
  assert.deepEqual(answer, { aborted: "aborted", label: "string", unloaded: "aborted" });
});

test("links are followed, as in the hub's own cache; a file that changes meanwhile is noticed", () => {
  mkdirSync(join(folder, "cache"));
  writeFileSync(join(folder, "blob"), readFileSync(join(folder, "tiny/model.safetensors")));
  symlinkSync(join(folder, "blob"), join(folder, "cache/model.safetensors"));
  for (const name of ["config.json", "tokenizer.json"]) {
    symlinkSync(join(folder, "tiny", name), join(folder, "cache", name));
  }
  symlinkSync(join(folder, "nowhere"), join(folder, "cache/model-00001-of-00001.safetensors"));
  const { name, code } = answerOf(`
    import { appendFileSync } from "node:fs";
    import { TextClassifier } from "webtune";

    const model = await TextClassifier.load({ folder: "cache" }, { device: "cpu" });
    const name = model.model.name;
    model.dispose();
    const onProgress = ({ file }) => file === "tokenizer.json" && appendFileSync("blob", "more");
    const code = await TextClassifier.load({ folder: "cache" }, { device: "cpu", onProgress }).then(
      () => "loaded",
      (error) => error.code,
    );
    console.log(JSON.stringify({ name, code }));
  `);
  assert.equal(name, "cache");
  assert.equal(code, "readFailed");
});

test("what is not there is refused by its name", () => {
  const { missing, empty, gpu, address, worker } = answerOf(`
    import { configure, TextClassifier } from "webtune";

    const failureOf = (promise) => promise.then(() => ({}), ({ code, message }) => ({ code, message }));
    const load = (source, device = "cpu") => failureOf(TextClassifier.load(source, { device }));
    console.log(JSON.stringify({
      missing: await load({ folder: "nowhere" }),
      empty: await load({ folder: "node_modules/webtune/docs" }),
      gpu: await load({ folder: "tiny" }, "webgpu"),
      address: await load({ url: "tiny/" }),
      worker: await failureOf((async () => configure({ workerUrl: "/pkg/worker/" }))()),
    }));
  `);
  assert.equal(missing.code, "missingFile");
  assert.match(missing.message, /nowhere: there is no such file or folder/);
  assert.equal(empty.code, "missingFile");
  assert.match(empty.message, /config\.json/);
  assert.equal(gpu.code, "noWebgpu");
  assert.match(gpu.message, /the package webgpu, which brings it to Node, is not installed\. .*npm install webgpu/);
  assert.equal(address.code, "invalidOption");
  assert.equal(worker.code, "invalidOption");
});

test("the command is there by its name", () => {
  const webtune = (/** @type {string[]} */ ...args) =>
    spawnSync("npx", ["--no-install", "webtune", ...args], {
      cwd: folder,
      encoding: "utf8",
      shell: process.platform === "win32",
    });
  const options = JSON.stringify({ method: { type: "probe" }, numTrainEpochs: 1 });
  const rows = ["--model", "tiny", "--device", "cpu", "--train", "rows.csv"];
  const trained = webtune("finetune", ...rows, "--options", options, "--out", "out");
  assert.equal(trained.status, 0, trained.stderr);
  const scored = webtune("evaluate", "--adapter", "out/adapter", "--model", "tiny", "--test", "rows.csv");
  assert.equal(scored.status, 0, scored.stderr);
  assert.equal(JSON.parse(scored.stdout).comparison.count, 40);
  const unknown = webtune("finetun");
  assert.equal(unknown.status, 1);
  assert.match(unknown.stderr, /expected one of finetune, .*, found finetun; try npx webtune --help/);
});
