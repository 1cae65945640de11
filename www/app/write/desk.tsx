/** The desk that teaches a language model to write, in five steps. */
import type { ComponentChildren } from "preact";
import { UnfinishedActions } from "../desk/actions/unfinished";
import { DeskFrame, stepNotes } from "../desk/desk-frame";
import { UnfinishedNotice } from "../desk/parts/unfinished-notice";
import { wouldLoseWork } from "../desk/state";
import { useStore } from "../desk/store";
import { Boundary } from "../ui/boundary";
import { figure } from "../ui/format";
import { WriteExportActions } from "./actions/export";
import { GenerateActions } from "./actions/generate";
import { WriteModelActions } from "./actions/model";
import { WriteRunActions } from "./actions/run";
import { TextActions } from "./actions/texts";
import { WriteStore, type WriteTypes } from "./state";
import { WriteModelStep } from "./steps/model";
import { WriteResultsStep } from "./steps/results";
import { TextsStep } from "./steps/texts";
import { WriteTrainStep } from "./steps/train";
import { WriteUseStep } from "./steps/use";
import { writeTask } from "./task";

/** The desk's state and actions, which stay while the other desk is in view. */
export class WriteDesk {
  readonly store = new WriteStore();
  readonly model = new WriteModelActions(this.store);
  readonly rows = new TextActions(this.store);
  readonly run = new WriteRunActions(this.store, this.model);
  readonly files = new WriteExportActions(this.store, this.model);
  readonly unfinished = new UnfinishedActions<WriteTypes>(this.store, writeTask, this);
  readonly generate = new GenerateActions(this.store, this.model);

  /** Brings back what an earlier visit stored on this device. */
  recall(): void {
    void this.rows.recall();
    void this.unfinished.find();
  }

  leavingWouldLose(): boolean {
    return wouldLoseWork(this.store.state);
  }
}

interface Props {
  desk: WriteDesk;
  /** The switch between tasks. */
  tasks: ComponentChildren;
}

export const WriteDeskView = (props: Props) => (
  <Boundary
    name="This desk"
    instead={
      <button type="button" onClick={() => props.desk.rows.save()}>
        Save the texts
      </button>
    }
  >
    <Steps {...props} />
  </Boundary>
);

function Steps({ desk, tasks }: Props) {
  const state = useStore(desk.store);
  const { finished } = state.result;
  const texts = { id: "texts", title: "Texts", usable: state.rows.items.length, noun: "text" } as const;
  return (
    <DeskFrame
      lead="Teach a small language model to write like your examples, in this tab. No text leaves it."
      tasks={tasks}
      state={state}
      notice={<UnfinishedNotice state={state} actions={desk.unfinished} noun="text" />}
      notes={stepNotes(state, texts, finished?.tuned ? `perplexity ${figure(finished.tuned.perplexity)}` : undefined)}
    >
      <WriteModelStep key={state.model.formVersion} state={state} desk={desk} />
      <TextsStep state={state} desk={desk} />
      <WriteTrainStep state={state} desk={desk} />
      <WriteResultsStep state={state} />
      <WriteUseStep state={state} desk={desk} />
    </DeskFrame>
  );
}
