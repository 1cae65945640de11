/**
 * Enters: the usable rows and the drawer's fields. Leaves: a run's events as state, and at its end the files and the record.
 */
import { type Example, type FineTuner, RunRecorder, type TrainEvent, type TrainOptions } from "webtune";
import { zipName } from "../../desk/file-names";
import { readOptions } from "../../desk/read-options";
import { RunControls } from "../../desk/run-controls";
import { TimeLeft } from "../../desk/time-left";
import { codeOf, messageOf, percent } from "../../ui/format";
import { takeEvaluation, takeStep } from "../curves";
import { optionFields } from "../options";
import { emptyRun, noCurves, type Store } from "../state";
import type { RunsActions } from "./kept-runs";

export class RunActions {
  readonly controls: RunControls<TrainEvent>;
  #time = new TimeLeft();

  constructor(
    private readonly store: Store,
    private readonly tuner: () => FineTuner | undefined,
    private readonly runs: RunsActions,
    /** The engine is gone, and with it the model; exported files stay. */
    private readonly crashed: () => void,
  ) {
    this.controls = new RunControls(
      {
        read: () => store.state.run,
        write: (change) => store.patch("run", change),
        announce: (text) => store.announce(text),
      },
      () => this.#time.forgetFeatures(),
    );
  }

  async start(examples: Example[]): Promise<void> {
    const { store } = this;
    const tuner = this.tuner();
    if (!tuner) return;
    const { options, errors } = readOptions<TrainOptions>(optionFields, store.state.run.options);
    if (Object.keys(errors).length > 0) {
      this.controls.refuse(errors);
      return;
    }
    store.patch("run", { ...emptyRun(store.state.run.options), status: "starting" });
    store.announce("Training starts.");
    this.#time = new TimeLeft();
    const before = store.state.result.files;
    const recorder = new RunRecorder({
      model: tuner.model.name,
      device: tuner.device.device,
      data: store.state.examples.source?.name ?? "rows of the table",
    });
    try {
      const run = tuner.train(examples, { ...options, ...this.#descriptions(examples) });
      this.controls.run = run;
      for await (const event of run) {
        recorder.take(event);
        this.#take(event);
        if (event.type !== "finished") continue;
        void this.runs.add(recorder.finish());
        await this.#keepFiles(tuner);
      }
    } catch (error) {
      await this.controls.fail(error, {
        fields: optionFields,
        crashed: this.crashed,
        kept: () => store.state.result.files !== undefined,
        hasStarted: store.state.run.started !== undefined,
        restore: before && (() => tuner.importAdapter(before)),
      });
    } finally {
      this.controls.run = undefined;
      store.patch("run", { status: "idle", etaMs: undefined });
    }
  }

  /** Only of labels that train, as the engine refuses others. */
  #descriptions(examples: Example[]): TrainOptions {
    const labels = new Set(examples.map(({ label }) => label));
    const written = Object.entries(this.store.state.examples.descriptions)
      .map(([label, words]) => [label, words.trim()] as const)
      .filter(([label, words]) => labels.has(label) && words !== "");
    return written.length > 0 ? { labelDescriptions: Object.fromEntries(written) } : {};
  }

  #take(event: TrainEvent): void {
    const { store } = this;
    const { run } = store.state;
    switch (event.type) {
      case "started":
        store.patch("run", { started: event, status: run.status === "starting" ? "running" : run.status });
        return;
      case "features":
        store.patch("run", { features: event, etaMs: this.#time.features(event) });
        return;
      case "baselines": {
        const { zeroShot, centroid, probe } = event.validation;
        const { accuracy, macroF1 } = probe;
        const judged = [{ step: 0, epoch: 0, stage: "probe" as const, accuracy, macroF1, best: true }];
        store.patch("run", { baselines: event.validation, curves: { ...noCurves, judged }, etaMs: undefined });
        store.announce(
          `Before tuning: zero-shot is right on ${percent(zeroShot.accuracy)} of the validation rows, nearest centroid on ${percent(centroid.accuracy)}, the linear probe on ${percent(accuracy)}.`,
        );
        return;
      }
      case "recipe":
        store.patch("run", { recipe: event });
        return;
      case "seed": {
        // The probe is the same for every seed, and the one to beat for each.
        const judged = run.curves.judged.slice(0, 1).map((point) => ({ ...point, best: true }));
        store.patch("run", { seed: event, curves: { ...noCurves, judged } });
        return;
      }
      case "step":
        store.patch("run", { curves: takeStep(run.curves, event), etaMs: this.#time.step(event, run.seed) });
        return;
      case "evaluation":
        store.patch("run", { curves: takeEvaluation(run.curves, event) });
        store.announce(
          `${event.stage === "contrastive" ? "Contrastive stage" : `Epoch ${event.epoch}`}: ${percent(event.validation.accuracy)} of the validation rows are right.`,
        );
        return;
      case "seedFinished":
        store.patch("run", { seedRuns: [...run.seedRuns, event] });
        return;
      case "finished":
        store.patch("result", {
          finished: event,
          origin: "trained",
          exported: false,
          files: undefined,
          zip: zipName(store.state.model.info?.name ?? "model", event.options.method.type),
          version: store.state.result.version + 1,
        });
        store.announce(event.message);
    }
  }

  /** The files are taken at once, so that they survive whatever happens to the engine later. */
  async #keepFiles(tuner: FineTuner): Promise<void> {
    try {
      this.store.patch("result", { files: await tuner.exportAdapter() });
    } catch (error) {
      if (codeOf(error) === "crashed") this.crashed();
      this.store.patch("result", { exportError: messageOf(error) });
    }
  }
}
