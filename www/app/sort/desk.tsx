/** The desk that teaches a model to sort texts under labels, in six steps. */
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { ModelActions } from "../desk/actions/model";
import { UnfinishedActions } from "../desk/actions/unfinished";
import { DeskFrame, stepNotes } from "../desk/desk-frame";
import { UnfinishedNotice } from "../desk/parts/unfinished-notice";
import { useStore } from "../desk/store";
import { Boundary } from "../ui/boundary";
import { counted, percent } from "../ui/format";
import { ClassifyFileActions } from "./actions/classify-file";
import { ExampleActions } from "./actions/examples";
import { SortExportActions } from "./actions/export";
import { KeptRunsActions } from "./actions/kept-runs";
import { PredictActions } from "./actions/predict";
import { SortRunActions } from "./actions/run";
import { check } from "./checks";
import { scoreOf } from "./score";
import { SortStore, type SortTypes, wouldLoseAnything } from "./state";
import { CompareStep } from "./steps/compare";
import { ExamplesStep } from "./steps/examples";
import { SortModelStep } from "./steps/model";
import { SortResultsStep } from "./steps/results";
import { SortTrainStep } from "./steps/train";
import { SortUseStep } from "./steps/use";
import { sortTask } from "./task";

/** The desk's state and actions, which stay while the other desk is in view. */
export class SortDesk {
  readonly store = new SortStore();
  readonly model = new ModelActions<SortTypes>(this.store, sortTask);
  readonly rows = new ExampleActions(this.store);
  readonly runs = new KeptRunsActions(this.store);
  readonly run = new SortRunActions(this.store, this.model, this.runs);
  readonly files = new SortExportActions(this.store, this.model);
  readonly unfinished = new UnfinishedActions<SortTypes>(this.store, sortTask, this);
  readonly predict = new PredictActions(this.model);
  readonly file = new ClassifyFileActions(this.store, this.model);

  /** Brings back what an earlier visit stored on this device. */
  recall(): void {
    void this.rows.recall();
    void this.runs.recall();
    void this.unfinished.find();
  }

  leavingWouldLose(): boolean {
    return wouldLoseAnything(this.store.state);
  }
}

interface Props {
  desk: SortDesk;
  /** The switch between tasks. */
  tasks: ComponentChildren;
}

export const SortDeskView = (props: Props) => (
  <Boundary
    name="This desk"
    instead={
      <button type="button" onClick={() => props.desk.rows.save()}>
        Save the examples
      </button>
    }
  >
    <Steps {...props} />
  </Boundary>
);

function Steps({ desk, tasks }: Props) {
  const state = useStore(desk.store);
  const checked = useMemo(() => check(state.rows.items), [state.rows.items]);
  const { finished } = state.result;
  const runs = state.runs.records.length;
  const examples = { id: "examples", title: "Examples", usable: checked.usable.length, noun: "example" } as const;
  const tuned = finished && scoreOf(finished.evaluation.tuned);
  const score = tuned && (tuned.several ? `micro F1 ${percent(tuned.value)}` : `${percent(tuned.value)} right`);
  const compare = { id: "compare", title: "Compare", done: runs > 1 } as const;
  return (
    <DeskFrame
      lead="Teach a small language model your labels, in this tab. No text leaves it."
      tasks={tasks}
      state={state}
      notice={<UnfinishedNotice state={state} actions={desk.unfinished} noun="example" />}
      notes={[
        ...stepNotes(state, examples, score),
        { ...compare, note: runs > 0 ? counted(runs, "run") : "no run yet" },
      ]}
    >
      <SortModelStep key={state.model.formVersion} state={state} desk={desk} />
      <ExamplesStep state={state} desk={desk} checked={checked} />
      <SortTrainStep state={state} desk={desk} checked={checked} />
      <SortResultsStep state={state} />
      <SortUseStep state={state} desk={desk} />
      <CompareStep state={state} actions={desk.runs} />
    </DeskFrame>
  );
}
