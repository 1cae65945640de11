/**
 * Text classification: a pretrained model learns to label texts.
 */
import { type Classified, type ClassifyStreamOptions, classifyRows, type StreamRow } from "./classify.js";
import type { ModelSource } from "./sources/settle.js";
import { type Loaded, type LoadOptions, loadModel, Tuner } from "./tuner.js";
import type { Evaluation, Example, ModelInfo, Prediction, Scores, TextInput, WhichModel } from "./types/engine.js";
import type { ExportedFile } from "./worker/engine.js";

/** A pretrained model in a worker of its own, ready to be tuned to label texts. */
export class TextClassifier extends Tuner<"classify"> {
  private constructor(loaded: Loaded<ModelInfo>) {
    super(loaded, "examples");
  }

  /**
   * Starts an engine and loads a model into it. Weights are read in ranges and never held whole.
   *
   * @throws WebtuneError `missingFile`, `readFailed`, `invalidFile`, `missingTensor`, `wrongShape`, `wrongDtype`,
   * `notFinite`, `unsupportedModel`, `tokenizerMismatch` (the model), `noWebgpu`, `deviceFailed`, `outOfMemory` (the
   * machine), `invalidOption`, `aborted`.
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<TextClassifier> {
    return new TextClassifier(await loadModel("classify", source, options));
  }

  /**
   * Labels texts, in their order; `{ text, textPair }` where pairs of texts were trained. During a run this waits for the step that is being computed.
   *
   * @param options `baseline` is the frozen model with the fitted head; default `tuned`.
   * @throws WebtuneError `invalidState` before the first run or import, and for the baseline of an adapter that came without; `invalidData` for one
   * text where pairs were trained, and for a pair where single texts were. An adapter that another tool made takes both.
   */
  predict(texts: readonly TextInput[], options: { which?: WhichModel | undefined } = {}): Promise<Prediction[]> {
    return this.call("predict", [[...texts], options.which ?? "tuned"]);
  }

  /**
   * Labels a stream of rows of any length, in their order: texts, or objects with `text` (and `textPair`), such as the rows of `openTable`. The
   * engine is asked in batches, and no more rows are held than are on their way.
   *
   * @throws WebtuneError by the loop: `invalidState` before the first run or import, `invalidOption`, `aborted`, and `invalidData` if the
   * first row is of another kind than was trained; later rows that cannot be taken have a `problem`.
   */
  classify<Row extends StreamRow>(
    rows: AsyncIterable<Row> | Iterable<Row>,
    options: ClassifyStreamOptions = {},
  ): AsyncGenerator<Classified<Row>, void, undefined> {
    const { which, ...others } = options;
    return classifyRows((texts) => this.predict(texts, { which }), rows, others);
  }

  /**
   * Puts an exported folder in place of what was trained here; or a classifier's adapter that PEFT made elsewhere (`adapter_config.json` and
   * `adapter_model.safetensors`), which brings no baselines.
   *
   * @param options `labels` names such an adapter's labels, in the order of its outputs; default: the names in the model's own config.json where it
   * has as many, else `LABEL_0` and so on.
   * @throws WebtuneError as of other imports.
   */
  override import(
    files: readonly ExportedFile[],
    options: { labels?: readonly string[] | undefined } = {},
  ): Promise<void> {
    const { labels } = options;
    if (labels === undefined) return super.import(files);
    const settings = files.find(({ path }) => /(^|\/)adapter_config\.json$/.test(path));
    const path = `${settings?.path.slice(0, -"adapter_config.json".length) ?? ""}labels.json`;
    const bytes = new TextEncoder().encode(JSON.stringify({ labels }));
    return super.import([...files.filter((file) => file.path !== path), { path, bytes }]);
  }

  /**
   * Scores the baselines and the tuned model on the same rows, and compares them.
   *
   * @throws WebtuneError `invalidData` for a label that was not trained and for pairs or single texts where the other was; `invalidState` before
   * the first run or import, and for an adapter that came without baselines, which `score` scores alone.
   */
  evaluate(rows: readonly Example[]): Promise<Evaluation> {
    return this.call("evaluateClassifier", [[...rows]]);
  }

  /**
   * Scores the tuned model alone, which needs no baselines.
   *
   * @throws WebtuneError `invalidData` for a label that was not trained, `invalidState` before the first run or import.
   */
  score(rows: readonly Example[]): Promise<Scores> {
    return this.call("score", [[...rows]]);
  }
}
