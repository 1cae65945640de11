/**
 * A language model's job: the run's result, and on the way its events and files.
 */
import { LanguageTuner, parseTextRows } from "webtune";
import { fetchFile, report, send } from "./bridge.js";

/**
 * @typedef {object} LanguageJob
 * @property {import("webtune").ModelSource} model
 * @property {import("webtune").DeviceChoice} device
 * @property {import("webtune").WeightStorage} storage
 * @property {import("webtune").LanguageTrainOptions} options
 * @property {import("./bridge.js").RemoteFile} train
 * @property {import("./bridge.js").RemoteFile} [test]
 * @property {import("webtune").Prompt[]} prompts
 * @property {number} maxNewTokens of each completion
 * @property {string[]} exports
 */

/** @param {import("./bridge.js").RemoteFile} file */
async function textsOf(file) {
  return parseTextRows(new File([await fetchFile(file)], file.name));
}

/** @param {LanguageJob} job */
export async function finetuneLanguage({ model, device, storage, options, train, test, ...rest }) {
  const rows = await textsOf(train);
  const testRows = test ? await textsOf(test) : undefined;
  const tuner = await LanguageTuner.loadLanguageModel(model, { device, storage });
  try {
    await report({ type: "loaded", model: tuner.model, device: tuner.device });
    // Before training, so that a prompt that cannot be continued is reported before any work is done.
    const untuned = [];
    for (const prompt of rest.prompts) {
      const { text } = await tuner.generate(prompt, { which: "baseline", maxNewTokens: rest.maxNewTokens });
      untuned.push({ prompt, before: text });
    }
    const begin = performance.now();
    const steps = { count: 0, tokens: 0, targets: 0, ms: 0 };
    /** @type {Extract<import("webtune").LanguageEvent, { type: "finished" }> | undefined} */
    let finished;
    for await (const event of tuner.trainLanguageModel(rows, options, { file: train.name })) {
      if (event.type === "finished") finished = event;
      else await report(event);
      if (event.type !== "step") continue;
      steps.count += 1;
      steps.tokens += event.tokens;
      steps.targets += event.targets;
      steps.ms += event.ms;
    }
    if (!finished) throw new Error("the run ended without its last event");
    const seconds = (performance.now() - begin) / 1000;
    const tested = test && testRows ? await score(tuner, testRows, options, test.name) : undefined;
    const peakWasmBytes = await tuner.memoryBytes();
    const { model: info, device: chosen } = tuner;
    // Whatever fails from here on, the run's measures are kept.
    await report({ type: "measured", model: info, device: chosen, seconds, steps, finished, tested, peakWasmBytes });
    for (const format of rest.exports) await exportAs(tuner, format);
    for (const begun of untuned) {
      await report({ type: "completion", completion: await complete(tuner, begun, rest.maxNewTokens) });
    }
    return { finished, tested };
  } finally {
    tuner.dispose();
  }
}

/**
 * @param {LanguageTuner} tuner
 * @param {import("webtune").ParsedText[]} rows
 * @param {import("webtune").LanguageTrainOptions} options
 * @param {string} file
 */
async function score(tuner, rows, options, file) {
  await report({ type: "testing", rows: rows.length });
  return {
    before: await tuner.scoreTextRows(rows, options, { which: "baseline", file }),
    after: await tuner.scoreTextRows(rows, options, { which: "tuned", file }),
  };
}

/**
 * Greedy texts before and after tuning.
 * @param {LanguageTuner} tuner
 * @param {{ prompt: import("webtune").Prompt, before: string }} begun
 * @param {number} maxNewTokens
 */
async function complete(tuner, { prompt, before }, maxNewTokens) {
  const { text: after } = await tuner.generate(prompt, { which: "tuned", maxNewTokens });
  const logits = [...(await tuner.nextLogits(prompt, "tuned"))];
  return { ...(typeof prompt === "string" ? { prompt } : { messages: prompt }), before, after, logits };
}

/** @param {LanguageTuner} tuner @param {string} format */
async function exportAs(tuner, format) {
  await report({ type: "exporting", format });
  switch (format) {
    case "peft":
      for (const file of await tuner.exportLanguageAdapter()) await send(file);
      return;
    case "gguf":
      for (const file of await tuner.exportGguf()) await send(file, "gguf");
      return;
    case "merged":
      return exportMerged(tuner);
    default:
      throw new Error(`export: expected peft, gguf or merged, got ${format}`);
  }
}

/** @param {LanguageTuner} tuner */
async function exportMerged(tuner) {
  let path = "";
  let at = 0;
  await tuner.exportMerged(async (piece) => {
    if (piece instanceof Uint8Array) {
      await send({ path, bytes: piece }, "merged", at);
      at += piece.length;
    } else if ("open" in piece) {
      path = piece.open.path;
      at = 0;
    }
  });
}
