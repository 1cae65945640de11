/**
 * Language models: a pretrained model learns to continue texts and answer conversations.
 */
import type { ModelSource } from "./sources/settle.js";
import { type Loaded, type LoadOptions, loadModel, Tuner } from "./tuner.js";
import type {
  Choice,
  ChoiceOptions,
  GenerationOptions,
  LanguageModelInfo,
  LanguageOptions,
  Likelihood,
  ParsedText,
  PreviewPiece,
  Prompt,
  WhichModel,
  WrittenText,
} from "./types/engine.js";

export interface GenerateOptions extends GenerationOptions {
  /** Default "tuned". */
  which?: WhichModel | undefined;
  /** An abort ends the text where it is; the promise still gives it, with ending "stopped". */
  signal?: AbortSignal | undefined;
  /** Called with each piece of text as soon as it is certain. */
  onText?: ((piece: string) => void) | undefined;
}

/** A pretrained language model in a worker of its own, ready to be tuned. */
export class LanguageModel extends Tuner<"language"> {
  private constructor(loaded: Loaded<LanguageModelInfo>) {
    super(loaded, "texts");
  }

  /**
   * Starts an engine and loads a language model into it. Weights are read in ranges and never held whole.
   *
   * @throws WebtuneError `missingFile`, `readFailed`, `invalidFile`, `missingTensor`, `wrongShape`, `wrongDtype`,
   * `notFinite`, `unsupportedModel`, `tokenizerMismatch` (the model), `noWebgpu`, `deviceFailed`, `outOfMemory` (the
   * machine), `invalidOption`, `aborted`.
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<LanguageModel> {
    return new LanguageModel(await loadModel("language", source, options));
  }

  /**
   * Continues a text, or answers a conversation. Several calls are served one after the other; during a run, between its steps.
   *
   * @throws WebtuneError `invalidOption`, `invalidData` for a prompt without tokens or too long a one, `invalidState` for
   * the tuned model before the first run or import.
   */
  async generate(prompt: Prompt, options: GenerateOptions = {}): Promise<WrittenText> {
    const { which = "tuned", signal, onText, ...settings } = options;
    const { id, answer } = this.link.call("generate", [prompt, settings, which], {
      onEvent: (event) => event.type === "text" && onText?.(event.text),
    });
    const stop = (): void => this.link.control(id, "stop");
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop);
    try {
      return await answer;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  /**
   * For each text the label with the highest likelihood after a prompt that contains the text: classification without training.
   * A prompt that is too long is cut from its left.
   *
   * @param options `which` is "baseline", the untuned model, by default.
   * @throws WebtuneError `invalidOption` for labels or a template that cannot be used, `invalidData` for a label longer than the
   * model's positions, `invalidState` for the tuned model before the first run or import.
   */
  classify(
    texts: readonly string[],
    labels: readonly string[],
    options: ChoiceOptions & { which?: WhichModel | undefined } = {},
  ): Promise<Choice[]> {
    const { which = "baseline", ...settings } = options;
    return this.call("classify", [[...texts], [...labels], settings, which]);
  }

  /**
   * How likely a model finds what a run would learn of these rows.
   *
   * @param options Those of the run, which say what is cut and what is learnt; `which` is "tuned" by default, `file` is what errors
   * call the rows.
   * @throws WebtuneError `invalidData`, `invalidOption`, `invalidState` before the first run or import.
   */
  evaluate(
    rows: readonly ParsedText[],
    options: LanguageOptions & { which?: WhichModel | undefined; file?: string | undefined } = {},
  ): Promise<Likelihood> {
    const { which = "tuned", file = "texts", ...settings } = options;
    return this.call("evaluateLanguage", [file, [...rows], settings, which]);
  }

  /**
   * A row as the model will read it, in pieces that are learnt or not.
   *
   * @throws WebtuneError `invalidData` for a row that a run would refuse, `invalidOption`.
   */
  preview(row: ParsedText, options: LanguageOptions = {}): Promise<PreviewPiece[]> {
    return this.call("preview", [row, options]);
  }

  /**
   * Logits of the token after a prompt, one for each entry of the vocabulary.
   *
   * @throws WebtuneError as `generate`.
   */
  nextLogits(prompt: Prompt, options: { which?: WhichModel | undefined } = {}): Promise<Float32Array> {
    return this.call("nextLogits", [prompt, options.which ?? "tuned"]);
  }
}
