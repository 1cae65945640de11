/**
 * Enters: nothing. Leaves: the desk where a language model is tuned, in five steps.
 */
import type { ComponentChildren } from "preact";
import { DeskFrame, type StepNote } from "../desk/desk-frame";
import { useStore } from "../desk/store";
import { isBusy } from "../sort/state";
import { counted, figure, percent } from "../ui/format";
import { LeaveActions } from "./actions/export";
import { LanguageModelActions } from "./actions/model";
import { LanguageRunActions } from "./actions/run";
import { TextActions } from "./actions/texts";
import { WriteActions } from "./actions/write";
import { type LanguageState, LanguageStore, leavingWouldLose } from "./state";
import { LanguageModelStep } from "./steps/model";
import { LanguageResultsStep } from "./steps/results";
import { TextsStep } from "./steps/texts";
import { LanguageTrainStep } from "./steps/train";
import { LanguageUseStep } from "./steps/use";

/** What the desk holds while another is looked at. */
export class LanguageWork {
  readonly store = new LanguageStore();
  readonly model = new LanguageModelActions(this.store);
  readonly texts = new TextActions(this.store);
  readonly run: LanguageRunActions;
  readonly write: WriteActions;
  readonly leave: LeaveActions;

  constructor() {
    const tuner = () => this.model.tuner;
    const crashed = () => this.model.drop();
    this.run = new LanguageRunActions(this.store, tuner, crashed);
    this.write = new WriteActions(this.store, tuner, crashed);
    this.leave = new LeaveActions(this.store, tuner, crashed);
  }

  /** What an earlier visit left on this device. */
  recall(): void {
    void this.texts.recall();
  }

  leavingWouldLose(): boolean {
    return leavingWouldLose(this.store.state);
  }
}

export function LanguageDesk({ work, tasks }: { work: LanguageWork; tasks: ComponentChildren }) {
  const { store } = work;
  const state = useStore(store);
  return (
    <DeskFrame
      lead="Teach a small language model to write as your examples do, in this tab. No text leaves it."
      tasks={tasks}
      report={state.model.report}
      steps={stepNotes(state)}
      announcement={state.announcement}
    >
      <LanguageModelStep state={state} store={store} actions={work.model} />
      <TextsStep state={state} store={store} actions={work.texts} tuner={work.model.tuner} />
      <LanguageTrainStep state={state} actions={work.run} />
      <LanguageResultsStep state={state} />
      <LanguageUseStep state={state} store={store} write={work.write} leave={work.leave} />
    </DeskFrame>
  );
}

function stepNotes({ model, texts, run, result }: LanguageState): StepNote[] {
  const busy = isBusy(run);
  const share = run.step > 0 ? percent(run.step / run.totalSteps, 0) : "started";
  const { finished, origin, exported } = result;
  return [
    {
      id: "model",
      title: "Model",
      done: model.info !== undefined,
      note: model.info?.name.split("/").pop() ?? "choose one",
    },
    {
      id: "texts",
      title: "Texts",
      done: texts.items.length > 0,
      note: texts.items.length > 0 ? counted(texts.items.length, "text") : "none yet",
    },
    {
      id: "train",
      title: "Train",
      done: origin !== undefined && !busy,
      note: busy ? (run.status === "paused" ? "paused" : share) : (origin ?? "not yet"),
    },
    {
      id: "results",
      title: "Results",
      done: finished !== undefined && !busy,
      note: finished ? `perplexity ${figure(finished.tuned.perplexity)}` : "not yet",
    },
    {
      id: "use",
      title: "Use it",
      done: origin === "trained" && exported && !busy,
      note: origin ? (exported ? "ready" : "not exported yet") : "not yet",
    },
  ];
}
