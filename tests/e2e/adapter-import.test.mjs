/**
 * An adapter is found in whatever folder or zip a person chooses: by names, within limits, and without reading the rest.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { unzipSync, zipSync } from "fflate";
import { csv } from "./support/rows.mjs";
import { openSite } from "./support/site.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
/** @type {string} */
let folder;
/** An export of the tiny model. @type {Record<string, Uint8Array>} */
let files;

before(async () => {
  site = await openSite();
  folder = mkdtempSync(join(tmpdir(), "webtune-import-"));
  const { page, close } = await openWithModel();
  await page.paste(csv(8));
  await page.setOptions({ "method.type": "lora", numTrainEpochs: "1" });
  await page.start();
  await page.finished();
  files = unzipSync((await page.export()).bytes);
  await page.export(() => page.at("save-examples").click());
  await close();
});
after(async () => {
  await site?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** A device of little memory, so that limits are met early: 256 MiB for the files of an adapter. */
async function openWithModel() {
  const opened = await site.open();
  const { page } = opened;
  await page.raw.addInitScript(() => Object.defineProperty(navigator, "deviceMemory", { value: 0.5 }));
  await page.raw.reload();
  await page.chooseDevice("cpu");
  await page.chooseModelFiles(tinyModel());
  await page.loadModel();
  return opened;
}

/** @param {string} path @param {Uint8Array | string} content */
function write(path, content) {
  const whole = join(folder, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, content);
  return whole;
}

test("in a downloads folder the adapter is found, and nothing else is read", async () => {
  for (const [path, content] of Object.entries(files)) write(`downloads/tuned/${path}`, content);
  // Of an older export, further down.
  write("downloads/old/backup/tuned/labels.json", "{}");
  write("downloads/node_modules/x/README.md", "not this one");
  for (let index = 0; index < 200; index += 1) write(`downloads/photos/${index}.jpg`, "");
  truncateSync(write("downloads/film.mkv", ""), 20e9);
  const { page, close } = await openWithModel();
  await page.at("import-folder").setInputFiles(join(folder, "downloads"));
  await page.reads("import-note", /The adapter in downloads is loaded/);
  assert.ok((await page.tryText("a short story")).tuned);
  await close();
});

test("what is no adapter, or too large a one, is refused with the numbers", async () => {
  const { page, close } = await openWithModel();
  write("photos/labels.txt", "");
  for (let index = 0; index < 20; index += 1) write(`photos/${index}.jpg`, "");
  await page.at("import-folder").setInputFiles(join(folder, "photos"));
  await page.reads("import-error", /photos: expected labels\.json or adapter_config\.json .*found 21 other files/);
  write("large/labels.json", `${files["labels.json"]}`);
  truncateSync(write("large/model.safetensors", ""), 6e9);
  await page.at("import-folder").setInputFiles(join(folder, "large"));
  await page.reads("import-error", /files of an adapter may have 268 MB at most, and this has 6\.00 GB/);
  // The engine is as it was.
  await page.importZip("whole.zip", Buffer.from(zipSync(files)));
  await page.reads("import-note", /whole\.zip is loaded/);
  await close();
});

test("a zip that unpacks to far more than it says is stopped, and one that says so is not begun", async () => {
  const { page, close } = await openWithModel();
  const weights = "adapter_model.safetensors";
  const bomb = Buffer.from(zipSync({ ...files, [weights]: new Uint8Array(700e6) }, { level: 9 }));
  assert.ok(bomb.length < 5e6);
  await page.importZip("honest.zip", bomb);
  await page.reads("import-error", /honest\.zip: .*may have 268 MB at most, and this has at least 7\d\d MB/);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(700e6);
  const small = Buffer.from([100, 0, 0, 0]);
  for (let at = bomb.indexOf(size); at >= 0; at = bomb.indexOf(size, at)) small.copy(bomb, at);
  await page.importZip("liar.zip", bomb);
  await page.reads("import-error", /liar\.zip: .*may have 268 MB at most, and this has at least (2[67]|28)\d MB/);
  const cut = Buffer.from(zipSync(files));
  await page.importZip("cut.zip", cut.subarray(0, Math.round(cut.length * 0.6)));
  await page.reads("import-error", /cut\.zip/);
  // What is beside an adapter in its zip is passed over.
  const film = { "film.mkv": new Uint8Array(400e6) };
  await page.importZip("with-film.zip", Buffer.from(zipSync({ ...files, ...film }, { level: 1 })));
  await page.reads("import-note", /with-film\.zip is loaded/);
  await close();
});

test("an adapter that another tool made: its labels are named, and a file is scored with nothing beside it", async () => {
  const { page, close } = await openWithModel();
  await page.paste(csv(8));
  await page.setOptions({ "method.type": "lora", head: "cls", numTrainEpochs: "1" });
  await page.start();
  await page.finished();
  const own = unzipSync((await page.export()).bytes);
  await page.export(() => page.at("save-examples").click());
  const test = { name: "test.csv", mimeType: "text/csv", buffer: Buffer.from(csv(8)) };
  await page.at("score-file").setInputFiles(test);
  await page.reads("score", /^test\.csv: [\d.]+% of 16 texts are labelled rightly/);
  assert.equal(await page.at("score-baselines-missing").count(), 0);

  const ofPeft = Object.entries(own).filter(([path]) => /adapter_(config\.json|model\.safetensors)$/.test(path));
  await page.importZip("peft.zip", Buffer.from(zipSync(Object.fromEntries(ofPeft))));
  await page.reads("import-note", /peft\.zip is loaded/);
  await page.reads("label-names-form", /Names of its 2 labels.*LABEL_0, LABEL_1/s);
  await page.at("label-names").fill("label");
  await page.at("label-names-take").click();
  await page.reads("import-error", /expected 2 (names|to)/);
  await page.at("label-names").fill("label, story");
  await page.at("label-names-take").click();
  await page.reads("import-note", /The labels are label, story/);
  assert.match(`${(await page.tryText("a short story")).tuned}`, /label|story/);
  await page.at("score-file").setInputFiles(test);
  await page.reads("score", /^test\.csv: [\d.]+% of 16 texts are labelled rightly/);
  await page.reads("score-baselines-missing", /nothing to compare it with/);
  await close();
});
