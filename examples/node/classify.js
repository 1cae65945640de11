/**
 * Trains a classifier in Node, labels texts with it, and writes its adapter to a folder.
 *
 *   node classify.js MODEL [cpu|webgpu|auto]
 *
 * MODEL is a folder on the disk with a model in it, or a repository such as sentence-transformers/all-MiniLM-L6-v2. The engine is in a
 * worker thread, so that this program stays free for other work. `webgpu` needs the package webgpu and a graphics card.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { parseExamples, TextClassifier } from "webtune";

const [model = "sentence-transformers/all-MiniLM-L6-v2", device = "cpu"] = process.argv.slice(2);
const source = existsSync(model) ? { folder: model } : { repository: model };
const classifier = await TextClassifier.load(source, { device });
console.log(classifier.device.reason);

const file = new URL("rows.jsonl", import.meta.url);
const { rows } = await parseExamples(await readFile(file), "rows.jsonl");
for await (const event of classifier.train(rows, { recipe: "fast", numTrainEpochs: 2 })) {
  if (event.type === "step") console.log(`step ${event.step} of ${event.totalSteps}: loss ${event.loss.toFixed(3)}`);
  if (event.type === "finished") console.log(event.verdict);
}

const texts = ["It is three days late.", "Why did you take 20 euros more?"];
for (const [index, { label }] of (await classifier.predict(texts)).entries()) console.log(`${label}: ${texts[index]}`);

await mkdir("adapter", { recursive: true });
for (const { path, bytes } of await classifier.export()) await writeFile(`adapter/${path}`, bytes);
console.log("the adapter is in the folder adapter");
classifier.dispose();
