/**
 * Enters: the texts and the drawer's fields. Leaves: a run's events as state, and at its end the PEFT folder.
 */
import type { LanguageEvent, LanguageTuner, ParsedText } from "webtune";
import { RunControls } from "../../desk/run-controls";
import { TimeLeft } from "../../desk/time-left";
import { codeOf, figure, messageOf } from "../../ui/format";
import { languageFields } from "../options";
import { settingsOf } from "../settings";
import { emptyLanguageRun, emptyResult, type JudgedTexts, type LanguageStore } from "../state";

/** Steps whose tokens tell the speed. */
const RECENT = 10;

export class LanguageRunActions {
  readonly controls: RunControls<LanguageEvent>;
  #time = new TimeLeft();
  #speeds: { tokens: number; ms: number }[] = [];

  constructor(
    private readonly store: LanguageStore,
    private readonly tuner: () => LanguageTuner | undefined,
    /** The engine is gone, and with it the model; exported files stay. */
    private readonly crashed: () => void,
  ) {
    this.controls = new RunControls(
      {
        read: () => store.state.run,
        write: (change) => store.patch("run", change),
        announce: (text) => store.announce(text),
      },
      () => undefined,
    );
  }

  /** Errors name a row by its place in the list. */
  async start(rows: ParsedText[]): Promise<void> {
    const { store } = this;
    const tuner = this.tuner();
    if (!tuner) return;
    const { options, errors } = settingsOf(store.state.run.options);
    if (Object.keys(errors).length > 0) {
      this.controls.refuse(errors);
      return;
    }
    store.patch("run", { ...emptyLanguageRun(store.state.run.options), status: "starting" });
    store.announce("Training starts.");
    this.#time = new TimeLeft();
    this.#speeds = [];
    const before = store.state.result.files;
    try {
      const run = tuner.trainLanguageModel(rows, options, { file: "the list of texts" });
      this.controls.run = run;
      for await (const event of run) {
        this.#take(event);
        if (event.type === "finished" && event.options.method.type !== "full") await this.#keepFiles(tuner);
      }
    } catch (error) {
      await this.controls.fail(error, {
        fields: languageFields,
        crashed: this.crashed,
        kept: () => store.state.result.files !== undefined,
        hasStarted: store.state.run.started !== undefined,
        restore: before && (() => tuner.importLanguageAdapter(before)),
      });
    } finally {
      this.controls.run = undefined;
      store.patch("run", { status: "idle", etaMs: undefined });
    }
  }

  #take(event: LanguageEvent): void {
    const { store } = this;
    const { run } = store.state;
    switch (event.type) {
      case "started":
        store.patch("run", { started: event, status: run.status === "starting" ? "running" : run.status });
        return;
      case "progress":
        store.patch("run", { scored: event });
        return;
      case "baselines": {
        const { base, fewShot, completions } = event;
        store.patch("run", { base, fewShot });
        this.#judge({ step: 0, epoch: 0, likelihood: base, best: true, completions });
        store.announce(`Before tuning, perplexity is ${figure(base.perplexity)} on the validation texts.`);
        return;
      }
      case "step": {
        this.#speeds = [...this.#speeds, event].slice(-RECENT);
        const sum = (key: "tokens" | "ms") => this.#speeds.reduce((total, one) => total + one[key], 0);
        const { step, epoch, totalSteps, loss, learningRate } = event;
        store.patch("run", {
          step,
          epoch,
          totalSteps,
          losses: [...run.losses, loss],
          rates: [...run.rates, learningRate],
          tokensPerSecond: (1000 * sum("tokens")) / sum("ms"),
          etaMs: this.#time.step(event),
        });
        return;
      }
      case "evaluation": {
        const { step, epoch, validation, best, completions } = event;
        this.#judge({ step, epoch, likelihood: validation, best, completions });
        store.announce(`Epoch ${epoch}: perplexity is ${figure(validation.perplexity)}.`);
        return;
      }
      case "finished":
        store.patch("result", {
          ...emptyResult(store.state.result.version + 1),
          finished: event,
          origin: "trained",
          model: store.state.model.info?.name ?? "model",
          exported: false,
        });
        store.announce(event.message);
    }
  }

  #judge(judged: JudgedTexts): void {
    const { judged: all } = this.store.state.run;
    const earlier = judged.best ? all.map((one) => ({ ...one, best: false })) : all;
    this.store.patch("run", { judged: [...earlier, judged] });
  }

  /** The files are taken at once, so that they survive whatever happens to the engine later. */
  async #keepFiles(tuner: LanguageTuner): Promise<void> {
    try {
      this.store.patch("result", { files: await tuner.exportLanguageAdapter() });
    } catch (error) {
      if (codeOf(error) === "crashed") this.crashed();
      this.store.patch("result", { exportError: messageOf(error) });
    }
  }
}
