/**
 * Tunes a language model on 64 KiB of stories and prints how long it takes and how many tokens a second that is.
 *
 *   npm run bench:stories -- --model DIR [--device cpu|webgpu] [--epochs 20] [--bytes 65536] [--out DIR]
 *
 * The stories come from a grammar with a fixed seed; `--bytes` takes fewer where a software adapter would need hours. The run is
 * `npm run finetune` with a context of 128 tokens and eight of them a step.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Failure, say, script } from "../scripts/run.mjs";
import { finetune } from "./support/finetune.mjs";
import { stories } from "./support/stories.mjs";

script(import.meta.url, async () => {
  const text = /** @type {const} */ ({ type: "string" });
  let values;
  try {
    ({ values } = parseArgs({ options: { model: text, device: text, epochs: text, bytes: text, out: text } }));
  } catch (error) {
    throw new Failure(
      `${/** @type {Error} */ (error).message}; expected --model DIR [--device] [--epochs] [--bytes] [--out]`,
    );
  }
  const { model, device = "cpu", epochs = "20", bytes = "65536" } = values;
  if (!model) throw new Failure("--model: expected the folder of a language model, such as stories260K's");
  for (const [option, given] of Object.entries({ epochs, bytes })) {
    if (!/^[1-9]\d*$/.test(given)) throw new Failure(`--${option}: expected a whole number above 0, found ${given}`);
  }
  const here = (/** @type {string} */ path) => resolve(process.env.INIT_CWD ?? process.cwd(), path);
  const out = values.out === undefined ? join(tmpdir(), "webtune-bench", `stories-${device}`) : here(values.out);
  mkdirSync(out, { recursive: true });
  const train = join(out, "stories.jsonl");
  const rows = stories(Number(bytes));
  writeFileSync(train, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const options = {
    maxLength: 128,
    trainBatchSize: 8,
    numTrainEpochs: Number(epochs),
    earlyStoppingPatience: 0,
    sampleTokens: 0,
  };
  say(`${rows.length} stories, ${epochs} epochs on ${device}`);
  const given = ["--task", "causal-lm", "--model", here(model), "--train", train, "--device", device];
  const found = await finetune(out, [...given, "--options", JSON.stringify(options)]);
  const { before, after } = found.validation;
  const adapter = found.device.device === "webgpu" ? found.device.adapter : undefined;
  const cells = [
    adapter ? `webgpu (${adapter.description || adapter.vendor || adapter.architecture})` : found.device.device,
    (Number(bytes) / 1024).toFixed(0),
    epochs,
    found.steps,
    found.tokens,
    found.seconds.toFixed(0),
    found.msPerStep.toFixed(0),
    found.tokensPerSecond.toFixed(0),
    `${before.perplexity.toFixed(2)} to ${after.perplexity.toFixed(2)}`,
    (found.peakWasmBytes / 2 ** 20).toFixed(0),
  ];
  const lines = [
    "| engine | KiB of text | epochs | steps | tokens trained on | seconds in all | ms a step | tokens/s | validation perplexity | WebAssembly MiB |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    `| ${cells.join(" | ")} |`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
});
