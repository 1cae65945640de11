/** A classifier's run: its events as state, and its record for the comparison of runs. */
import { type ClassifyEvent, type ClassifyOptions, RunRecorder, type Stage } from "webtune";
import type { ModelActions } from "../../desk/actions/model";
import { RunActions } from "../../desk/actions/run";
import { emptyLine, extended } from "../../desk/line";
import { noCurves } from "../../desk/state";
import type { UnfinishedRun } from "../../desk/unfinished-runs";
import { percent } from "../../ui/format";
import type { Row } from "../checks";
import { namesOf } from "../labels";
import { scoreOf } from "../score";
import type { EventOf, Findings, SortStore, SortTypes } from "../state";
import { sortTask } from "../task";
import type { KeptRunsActions } from "./kept-runs";

/** Rates of layers are stored this often over a run, and whenever a layer is frozen or unfrozen. */
const RATE_SAMPLES = 100;

/** A classifier's run has two stages of those that the engine knows. */
const stageOf = ({ stage }: { stage: Stage }) => (stage === "contrastive" ? stage : "classify");

export class SortRunActions extends RunActions<SortTypes> {
  #recorder: RunRecorder | undefined;

  constructor(
    private readonly sort: SortStore,
    model: ModelActions<SortTypes>,
    private readonly runs: KeptRunsActions,
  ) {
    super(sort, model, sortTask);
  }

  /** Descriptions only of labels that train: the engine refuses others. */
  protected override moreOptions(rows: readonly Row[], options: ClassifyOptions): ClassifyOptions {
    const { labels } = this.sort.state;
    const used = new Set(rows.flatMap(({ label }) => namesOf(label)));
    const written = [...labels.descriptions]
      .map(([label, words]) => [label, words.trim()] as const)
      .filter(([label, words]) => used.has(label) && words !== "");
    return written.length > 0 ? { ...options, labelDescriptions: Object.fromEntries(written) } : options;
  }

  override bringBack({ labelDescriptions }: ClassifyOptions): void {
    if (!labelDescriptions) return;
    this.sort.patch("labels", { descriptions: new Map(Object.entries(labelDescriptions)) });
  }

  protected override dataName(): string {
    return this.sort.state.table.source?.name ?? "rows of the table";
  }

  protected override onBegin({ model, data }: UnfinishedRun): void {
    const { report } = this.sort.state.model;
    this.#recorder = new RunRecorder({ model: model.name, device: report?.device ?? "cpu", data });
  }

  protected override onFinished(): void {
    if (this.#recorder) void this.runs.add(this.#recorder);
  }

  protected override take(event: ClassifyEvent): void {
    this.#recorder?.take(event);
    const { findings, curves } = this.sort.state.run;
    switch (event.type) {
      case "started":
        this.takeStarted(event);
        break;
      case "progress":
        this.takePrepared(event);
        break;
      case "baselines":
        this.#takeBaselines(event);
        break;
      case "recipe":
        this.takeFindings({ recipe: event });
        break;
      case "seed": {
        // The probe is the same for every seed, and the result to beat for each.
        const evaluations = curves.evaluations.slice(0, 1).map((probe) => ({ ...probe, best: true }));
        this.sort.patch("run", { curves: { ...noCurves, evaluations, evaluated: evaluations.length } });
        this.takeFindings({ seed: event, headRates: emptyLine, groups: [] });
        break;
      }
      case "step": {
        const stage = stageOf(event);
        const headRates = extended(findings.headRates ?? emptyLine, event.step, event.headLearningRate);
        this.takeFindings({ stage, headRates, groups: withGroups(findings, event) });
        const seedsLeft = findings.seed ? findings.seed.count - findings.seed.index - 1 : 0;
        this.takeStep(event, seedsLeft * event.totalSteps);
        break;
      }
      case "evaluation": {
        const stage = stageOf(event);
        const { step, epoch, best, validation } = event;
        const { macroF1 } = validation;
        const score = scoreOf(validation);
        this.takeEvaluation({ step, epoch, stage, best, value: score.value, macroF1 });
        const when = stage === "contrastive" ? "Contrastive stage" : `Epoch ${epoch}`;
        this.sort.announce(
          score.several
            ? `${when}: micro F1 of ${percent(score.value)} on the validation rows.`
            : `${when}: ${percent(score.value)} of the validation rows are right.`,
        );
        break;
      }
      case "seedFinished":
        this.takeFindings({ seedRuns: [...(findings.seedRuns ?? []), event] });
        break;
      case "finished":
        this.takeFinished(event);
        break;
    }
  }

  #takeBaselines({ validation }: EventOf<"baselines">): void {
    const { zeroShot, centroid, probe } = validation;
    const { several, value } = scoreOf(probe);
    this.takeFindings({ baselines: validation });
    this.takeEvaluation({ step: 0, epoch: 0, stage: "probe", value, macroF1: probe.macroF1, best: true });
    const [first, second, third] = [zeroShot, centroid, probe].map((report) => percent(scoreOf(report).value));
    this.sort.announce(
      several
        ? `Before tuning: zero-shot has a micro F1 of ${first} on the validation rows, nearest centroid ${second}, the linear probe ${third}.`
        : `Before tuning: zero-shot is right on ${first} of the validation rows, nearest centroid on ${second}, the linear probe on ${third}.`,
    );
  }
}

function withGroups(findings: Partial<Findings>, { step, totalSteps, groups }: EventOf<"step">): Findings["groups"] {
  const stored = findings.groups ?? [];
  const before = stored.at(-1)?.groups;
  const moved = groups.some(({ frozen }, index) => frozen !== before?.[index]?.frozen);
  const isSample = step === totalSteps || step % Math.ceil(totalSteps / RATE_SAMPLES) === 0;
  return moved || isSample ? [...stored, { step, groups }] : stored;
}
