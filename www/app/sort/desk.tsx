/**
 * Enters: nothing. Leaves: the desk where texts are sorted under labels, in six steps.
 */
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { DeskFrame, type StepNote } from "../desk/desk-frame";
import { useStore } from "../desk/store";
import { counted, percent } from "../ui/format";
import { ExampleActions } from "./actions/examples";
import { RunsActions } from "./actions/kept-runs";
import { ModelActions } from "./actions/model";
import { RunActions } from "./actions/run";
import { UseActions } from "./actions/try-and-export";
import { check } from "./checks";
import { isBusy, leavingWouldLose, type State, Store } from "./state";
import { CompareStep } from "./steps/compare";
import { ExamplesStep } from "./steps/examples";
import { ModelStep } from "./steps/model";
import { ResultsStep } from "./steps/results";
import { TrainStep } from "./steps/train";
import { UseStep } from "./steps/use";

/** What a desk holds while another is looked at. */
export class ClassifyWork {
  readonly store = new Store();
  readonly model = new ModelActions(this.store);
  readonly examples = new ExampleActions(this.store);
  readonly runs = new RunsActions(this.store);
  readonly run: RunActions;
  readonly use: UseActions;

  constructor() {
    const tuner = () => this.model.tuner;
    const crashed = () => this.model.drop();
    this.run = new RunActions(this.store, tuner, this.runs, crashed);
    this.use = new UseActions(this.store, tuner, crashed);
  }

  /** What an earlier visit left on this device. */
  recall(): void {
    void this.examples.recall();
    void this.runs.recall();
  }

  leavingWouldLose(): boolean {
    return leavingWouldLose(this.store.state);
  }
}

export function ClassifyDesk({ work, tasks }: { work: ClassifyWork; tasks: ComponentChildren }) {
  const { store } = work;
  const state = useStore(store);
  const checked = useMemo(() => check(state.examples.rows), [state.examples.rows]);
  return (
    <DeskFrame
      lead="Teach a small language model your labels, in this tab. No text leaves it."
      tasks={tasks}
      report={state.model.report}
      steps={stepNotes(state, checked.usable.length)}
      announcement={state.announcement}
    >
      <ModelStep state={state} store={store} actions={work.model} />
      <ExamplesStep state={state} store={store} checked={checked} actions={work.examples} />
      <TrainStep state={state} checked={checked} actions={work.run} />
      <ResultsStep state={state} />
      <UseStep state={state} store={store} actions={work.use} />
      <CompareStep state={state} actions={work.runs} />
    </DeskFrame>
  );
}

function stepNotes({ model, run, result, runs }: State, examples: number): StepNote[] {
  const busy = isBusy(run);
  const { step, totalSteps } = run.curves;
  const share = step > 0 ? percent(step / totalSteps, 0) : "started";
  return [
    {
      id: "model",
      title: "Model",
      done: model.info !== undefined,
      note: model.info?.name.split("/").pop() ?? "choose one",
    },
    {
      id: "examples",
      title: "Examples",
      done: examples > 0,
      note: examples > 0 ? counted(examples, "row") : "none yet",
    },
    {
      id: "train",
      title: "Train",
      done: result.origin !== undefined && !busy,
      note: busy ? (run.status === "paused" ? "paused" : share) : result.origin ? result.origin : "not yet",
    },
    {
      id: "results",
      title: "Results",
      done: result.finished !== undefined && !busy,
      note: result.finished ? `${percent(result.finished.evaluation.tuned.accuracy)} right` : "not yet",
    },
    {
      id: "use",
      title: "Use it",
      done: result.origin === "trained" && result.exported && !busy,
      note: result.origin ? (result.exported ? "ready" : "not exported yet") : "not yet",
    },
    {
      id: "compare",
      title: "Compare",
      done: runs.records.length > 1,
      note: runs.records.length > 0 ? counted(runs.records.length, "run") : "no run yet",
    },
  ];
}
