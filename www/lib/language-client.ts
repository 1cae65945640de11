/**
 * Enters: a language model's source, texts, prompts. Leaves: a tuned model that writes, and its files.
 */
import { callOnce, type LoadOptions, pageAddress } from "./client.js";
import type {
  Choice,
  ChoiceOptions,
  GenerationOptions,
  LanguageEvent,
  LanguageModelInfo,
  LanguageTrainOptions,
  Likelihood,
  MergedPiece,
  ParsedText,
  PreviewPiece,
  Prompt,
  WhichModel,
  WrittenText,
} from "./language-protocol.js";
import { WorkerLink } from "./link.js";
import type { Answer, Arguments } from "./messages.js";
import type { ExportedFile, ModelSource } from "./protocol.js";
import type { TrainingRun } from "./run.js";
import { settleSource } from "./settle.js";
import { Tuner } from "./tuner.js";

export type LanguageLoadOptions = LoadOptions;

export interface GenerateOptions extends GenerationOptions {
  /** Default "tuned". */
  which?: WhichModel | undefined;
  /** An abort ends the text where it is; the promise still gives it, with ending "stopped". */
  signal?: AbortSignal | undefined;
  /** Told of each piece of text as soon as it is certain. */
  onText?: ((piece: string) => void) | undefined;
}

/**
 * A pretrained language model in a worker of its own, ready to be tuned.
 *
 * Every method may reject with a `WebtuneError`; beside the codes named there, `aborted` after `dispose` and
 * `crashed` when the worker died. After a crash, load anew.
 */
export class LanguageTuner extends Tuner<LanguageModelInfo, LanguageEvent> {
  private constructor(link: WorkerLink, loaded: Answer<"loadLanguage">) {
    super(link, loaded);
  }

  /**
   * Starts an engine and loads a language model into it. Weights are read in ranges and never held whole.
   *
   * @throws WebtuneError `missingFile`, `readFailed`, `invalidFile`, `missingTensor`, `wrongShape`, `wrongDtype`,
   * `notFinite`, `unsupportedModel`, `tokenizerMismatch` (the model), `noWebgpu`, `deviceFailed`, `outOfMemory` (the
   * machine), `invalidOption`, `aborted`.
   */
  static async loadLanguageModel(source: ModelSource, options: LanguageLoadOptions = {}): Promise<LanguageTuner> {
    const settled = settleSource(source, pageAddress());
    const link = WorkerLink.spawn();
    const { storage = "f32", device = "auto", memoryLimitBytes, signal, onProgress } = options;
    const args: Arguments<"loadLanguage"> = [settled, storage, device, memoryLimitBytes];
    return new LanguageTuner(link, await callOnce(link, "loadLanguage", args, signal, { onProgress }));
  }

  /**
   * A row as the model will read it, in pieces that are learnt or not.
   *
   * @throws WebtuneError `invalidData` for a row that a run would refuse, `invalidOption`.
   */
  previewTextRow(row: ParsedText, options: LanguageTrainOptions = {}): Promise<PreviewPiece[]> {
    return this.call("previewTextRow", [row, options]);
  }

  /**
   * Starts a run at once; read its events with `for await`. Errors in rows or options (`invalidData`, `invalidOption`,
   * `outOfMemory`) are thrown by the loop.
   *
   * @param given An `AbortSignal` that ends the run with the best state so far kept, and the file's name for errors.
   * @throws WebtuneError `invalidState` while another run goes on.
   */
  trainLanguageModel(
    rows: readonly ParsedText[],
    options: LanguageTrainOptions = {},
    given: { signal?: AbortSignal | undefined; file?: string | undefined } = {},
  ): TrainingRun<LanguageEvent> {
    const args: Arguments<"trainLanguage"> = [given.file ?? "texts", [...rows], options];
    return this.begin((listeners) => this.link.call("trainLanguage", args, listeners), given.signal);
  }

  /**
   * How likely a model finds what a run would learn of these rows.
   *
   * @param options Those of the run, which say what is cut and what is learnt; `which` is "tuned" by default.
   * @throws WebtuneError `invalidData`, `invalidOption`, `invalidState` before the first run or import.
   */
  scoreTextRows(
    rows: readonly ParsedText[],
    options: LanguageTrainOptions = {},
    given: { which?: WhichModel | undefined; file?: string | undefined } = {},
  ): Promise<Likelihood> {
    return this.call("scoreTextRows", [given.file ?? "texts", [...rows], options, given.which ?? "tuned"]);
  }

  /**
   * For each text the label whose words a model finds likeliest behind a prompt with the text: classification without training. A prompt that
   * is too long is cut from its left.
   *
   * @param options `which` is "baseline", the untuned model, by default.
   * @throws WebtuneError `invalidOption` for labels or a template that cannot be used, `invalidData` for a label longer than the model's
   * positions, `invalidState` for the tuned model before the first run or import.
   */
  classifyByLikelihood(
    texts: readonly string[],
    labels: readonly string[],
    options: ChoiceOptions & { which?: WhichModel | undefined } = {},
  ): Promise<Choice[]> {
    const { which = "baseline", ...settings } = options;
    return this.call("classifyByLikelihood", [[...texts], [...labels], settings, which]);
  }

  /**
   * Writes behind a text, or answers a conversation. Several calls are served one after the other; during a run, between
   * its steps.
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
   * Logits of the token behind a prompt, one a word of the vocabulary.
   *
   * @throws WebtuneError as `generate`.
   */
  nextLogits(prompt: Prompt, which: WhichModel = "tuned"): Promise<Float32Array> {
    return this.call("nextLogits", [prompt, which]);
  }

  /**
   * What was tuned, as a PEFT folder. What method `full` tuned has no adapter; it leaves by `exportMerged`.
   *
   * @throws WebtuneError `invalidState` before the first run or import, `invalidOption` for method `full`.
   */
  exportLanguageAdapter(): Promise<ExportedFile[]> {
    return this.call("exportLanguageAdapter", []);
  }

  /**
   * What was tuned, as one file for llama.cpp's `--lora`.
   *
   * @throws WebtuneError `invalidState` before the first run or import, `invalidOption` for a method other than `lora`.
   */
  exportGguf(): Promise<ExportedFile[]> {
    return this.call("exportGguf", []);
  }

  /**
   * The whole model with the adapter folded in, as a Transformers folder, told piece by piece: a file is opened, its bytes
   * follow, it is closed.
   *
   * @param onPiece The next piece is computed once what this gives has resolved, so that no more than one is in memory. What
   * it throws or rejects with ends the export and is what this method rejects with.
   * @throws WebtuneError `invalidState` before the first run or import, `invalidOption` for method `prefix` and for weights
   * kept as `int8` or `int4`.
   */
  async exportMerged(onPiece: (piece: MergedPiece) => void | PromiseLike<void>): Promise<void> {
    let failure: { reason: unknown } | undefined;
    const take = async (piece: MergedPiece): Promise<void> => {
      try {
        await onPiece(piece);
        this.link.control(id, "resume");
      } catch (reason) {
        failure = { reason };
        this.link.control(id, "stop");
      }
    };
    const { id, answer } = this.link.call("exportMerged", [], {
      onEvent: (event) => void (event.type === "piece" && take(event.piece)),
    });
    await answer;
    if (failure) throw failure.reason;
  }

  /**
   * Puts an exported adapter in place of what was trained here.
   *
   * @throws WebtuneError `missingFile`, `invalidFile`, `missingTensor`, `wrongShape` for files that don't fit the model.
   */
  async importLanguageAdapter(files: readonly ExportedFile[]): Promise<void> {
    await this.call("importLanguageAdapter", [[...files]]);
  }
}
