/** Lets the untuned and the tuned model write, and ranks labels by their likelihood. */
import type { Choice, GenerationOptions, LanguageModel, Prompt, WhichModel, WrittenText } from "webtune";
import type { ModelActions } from "../../desk/actions/model";
import { type FieldValues, fieldOfError, readOptions } from "../../desk/read-options";
import { messageOf } from "../../ui/format";
import { generationFields } from "../options";
import type { WriteStore, WriteTypes, Writing } from "../state";

const endings: Record<WrittenText["ending"], string> = {
  endOfText: "ended by itself",
  stopText: "ended at a stop text",
  length: "cut at the longest answer",
  stopped: "stopped",
};

export class GenerateActions {
  #stop: AbortController | undefined;

  constructor(
    private readonly store: WriteStore,
    private readonly model: ModelActions<WriteTypes>,
  ) {}

  /** Both texts, or that of the untuned model before anything was tuned. Gives the fields that cannot be read. */
  async write(prompt: Prompt, values: FieldValues): Promise<FieldValues> {
    const { store } = this;
    if (!this.model.tuner) return {};
    const { options, errors } = readOptions<GenerationOptions>(generationFields, values);
    if (Object.keys(errors).length > 0) return errors;
    const stop = new AbortController();
    this.#stop = stop;
    const { origin, version } = store.state.result;
    const waiting: Writing = { text: "", status: "waiting" };
    const one = async (tuner: LanguageModel, which: WhichModel, place: "base" | "tuned"): Promise<void> => {
      const put = (change: Partial<Writing>) =>
        store.patch("trying", { [place]: { ...(store.state.trying[place] ?? waiting), ...change } });
      const begun = performance.now();
      try {
        const { text, tokens, ending } = await tuner.generate(prompt, {
          ...options,
          which,
          signal: stop.signal,
          onText: (piece) => put({ text: (store.state.trying[place]?.text ?? "") + piece, status: "writing" }),
        });
        const speed = (1000 * tokens) / Math.max(1, performance.now() - begun);
        put({
          text,
          status: "done",
          note: `${tokens} tokens, ${speed.toFixed(speed < 10 ? 1 : 0)} a second; ${endings[ending]}`,
        });
        store.announce(`${which === "tuned" ? "After" : "Before"} tuning: ${text}`);
      } catch (error) {
        put({ status: "failed" });
        throw error;
      }
    };
    try {
      await this.model.use(async (tuner) => {
        store.patch("trying", {
          version,
          busy: true,
          error: undefined,
          tuned: origin ? waiting : undefined,
          base: waiting,
        });
        // One after the other, as the engine writes one text at a time and each has a speed of its own.
        if (origin) await one(tuner, "tuned", "tuned");
        if (stop.signal.aborted) store.patch("trying", { base: undefined });
        else await one(tuner, "baseline", "base");
      });
    } catch (error) {
      // Another model took this one's place.
      if (store.state.result.version !== version) return {};
      const message = messageOf(error);
      const { base } = store.state.trying;
      store.patch("trying", { error: message, base: base?.status === "waiting" ? undefined : base });
      const field = fieldOfError(generationFields, error);
      return field ? { [field.path]: field.reason } : {};
    } finally {
      store.patch("trying", { busy: false });
    }
    return {};
  }

  /** The labels' likelihoods after a text, of the untuned model and of the tuned one if there is one. */
  async rank(text: string, labels: string[]): Promise<{ base: Choice; tuned?: Choice | undefined }> {
    const { store } = this;
    store.patch("result", { busy: true });
    const one = (which: WhichModel): Promise<Choice> =>
      this.model.use(async (tuner) => {
        const [choice] = await tuner.classify([text], labels, { which });
        if (!choice) throw new Error("The engine ranked nothing for this text.");
        return choice;
      });
    try {
      const base = await one("baseline");
      const tuned = store.state.result.origin ? await one("tuned") : undefined;
      store.announce(`Before tuning: ${base.label}.${tuned ? ` After tuning: ${tuned.label}.` : ""}`);
      return { base, tuned };
    } finally {
      store.patch("result", { busy: false });
    }
  }

  stop(): void {
    this.#stop?.abort();
  }
}
