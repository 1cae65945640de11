/**
 * Tunes a language model in Node and lets it write.
 *
 *   node write.js MODEL [cpu|webgpu|auto]
 *
 * MODEL is a folder or a GGUF file on the disk, or a repository such as HuggingFaceTB/SmolLM2-135M-Instruct.
 */
import { existsSync } from "node:fs";
import { LanguageModel, parseTextRows } from "webtune";

const [name = "HuggingFaceTB/SmolLM2-135M-Instruct", device = "cpu"] = process.argv.slice(2);
const source = existsSync(name) ? { folder: name } : { repository: name };
const model = await LanguageModel.load(source, { device, storage: "int8" });

const sayings = ["The cat says meow.", "The dog says woof.", "The cow says moo.", "The duck says quack."];
const text = sayings.map((prompt) => JSON.stringify({ text: prompt })).join("\n");
const { rows } = await parseTextRows({ name: "sayings.jsonl", text });
const { base, tuned } = await model.train(rows, { numTrainEpochs: 2, fewShotExamples: 0 }).result();
console.log(`perplexity ${base?.perplexity.toFixed(1)} before, ${tuned?.perplexity.toFixed(1)} after`);

const { text: written } = await model.generate("The cat", { maxNewTokens: 8 });
console.log(`The cat${written}`);
model.dispose();
