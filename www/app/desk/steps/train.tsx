/** The third step of a desk: options, the buttons of a run, and its progress or how it ended. */
import type { ComponentChildren } from "preact";
import { useConfirm } from "../../ui/confirm";
import { count, duration } from "../../ui/format";
import { ProgressLine } from "../../ui/progress-line";
import { StepCard } from "../../ui/step-card";
import type { RunActions } from "../actions/run";
import type { OptionGroup } from "../options";
import { ErrorRemedy } from "../parts/error-remedy";
import { type DrawerWords, OptionDrawer } from "../parts/option-drawer";
import { RunButtons } from "../parts/run-buttons";
import {
  type DeskState,
  isBusy,
  type ModelState,
  type Progress,
  type RunState,
  type RunStatus,
  wouldLoseResult,
} from "../state";
import type { TaskTypes } from "../task";

/** How a task speaks of its runs. */
export interface RunWords {
  drawer: DrawerWords;
  /** What a run without rows still needs: "add examples". */
  addRows: string;
  /** What is done before the first step: "Reading the texts once". */
  preparing: string;
  /** What the baselines are before the first step: "The baselines are measured". */
  measured: string;
}

interface Props<T extends TaskTypes> {
  groups: readonly OptionGroup[];
  words: RunWords;
  state: DeskState<T>;
  actions: RunActions<T>;
  /** Rows that train, as they are now. */
  rows: readonly T["row"][];
  /** "40 texts are ready". */
  ready: string;
  /** The engine has other work. */
  busy?: boolean;
  /** Where a run is: "Epoch 2 of 3". */
  place: string;
  /** After the number of the step. */
  speed?: string;
  /** The baselines are known. */
  isMeasured: boolean;
  /** Facts and plots, once a run has started. */
  children: ComponentChildren;
}

export function TrainStep<T extends TaskTypes>(props: Props<T>) {
  const { groups, words, state, actions, rows, ready, busy = false, children } = props;
  const { model, run, result } = state;
  const { finished } = result;
  const { askIf, dialog } = useConfirm();
  const busyRun = isBusy(run);
  const missing = [model.status === "ready" ? "" : "load a model", rows.length > 0 ? "" : words.addRows].filter(
    Boolean,
  );
  // A run that goes on has all that it needs, also while its model is loaded again.
  const needs = busyRun ? [] : missing;
  const start = () =>
    askIf(wouldLoseResult(state), {
      title: "Train again?",
      text: "The tuned result has not been exported. A new run replaces it.",
      yes: "Discard it and train",
      act: () => void actions.start(rows),
    });
  const progress = progressOf(run, model, props);

  return (
    <StepCard
      id="train"
      number={3}
      title="Train"
      lead={
        needs.length > 0
          ? `To start, first ${needs.join(" and ")}.`
          : `${ready} for ${model.info?.name ?? "the model"}.`
      }
    >
      {dialog}
      <OptionDrawer
        groups={groups}
        words={words.drawer}
        values={run.options}
        errors={run.fieldErrors}
        disabled={busyRun}
        onChange={(path, value) => actions.setOption(path, value)}
        onReset={() => actions.resetOptions()}
      />
      <RunButtons
        status={run.status}
        actions={actions}
        again={finished !== undefined}
        ready={needs.length === 0 && !busy}
        onStart={start}
      />
      <ErrorRemedy
        message={run.error}
        remedy={run.remedy}
        testId="train-error"
        onTake={() => {
          actions.setOption("skipBad", "true");
          start();
        }}
      />
      <Keeping run={run} />
      {busyRun ? (
        <ProgressLine testId="train-progress" label="Training" {...progress} />
      ) : finished ? (
        <p
          class={badEnds.has(finished.reason) ? "note note-warn" : "note note-good"}
          data-testid="train-finished"
          data-reason={finished.reason}
        >
          {finished.message}
        </p>
      ) : null}
      {run.started ? children : null}
    </StepCard>
  );
}

/** What becomes of a run when its tab or its engine does not last. */
function Keeping({ run: { storageTrouble, recovery } }: { run: RunState }) {
  return (
    <>
      <p class="help" data-testid="keeping">
        While a run goes on, its rows and its state are kept in this browser, so that it can continue after a crash;
        they are removed when it ends.
      </p>
      <div role="status" class={storageTrouble ? "note note-warn" : "alert-empty"} data-testid="storage-trouble">
        {storageTrouble
          ? `This browser does not keep the run's state (${storageTrouble.replace(/\.$/, "")}). The run goes on, but could not continue after a crash of this tab.`
          : null}
      </div>
      <div role="status" class={recovery ? "note note-warn" : "alert-empty"} data-testid="recovery">
        {recovery}
      </div>
    </>
  );
}

/** Ways in which a run ends that a person should look at. */
const badEnds = new Set(["diverged", "failed"]);

const statusWords: Record<RunStatus, string> = {
  idle: "",
  starting: "Starting. ",
  running: "",
  paused: "Paused. ",
  stopping: "Stopping. ",
  reloading: "Loading the model again. ",
};

type Where = Pick<Props<TaskTypes>, "words" | "place" | "speed" | "isMeasured">;

function progressOf(
  { status, curves, prepared, etaMs }: RunState,
  model: ModelState,
  { words, place, speed, isMeasured }: Where,
): Progress {
  const before = statusWords[status];
  if (status === "reloading") return { ...model.progress, text: `${before}${model.progress?.text ?? ""}` };
  const left = etaMs === undefined || status === "paused" ? "" : `, about ${duration(etaMs)} left`;
  if (curves.step > 0) {
    const { step, totalSteps } = curves;
    const text = `${before}${place}, step ${count(step)} of ${count(totalSteps)}${speed ?? ""}${left}`;
    return { text, share: step / Math.max(1, totalSteps) };
  }
  if (isMeasured) return { text: `${before}${words.measured}. Training begins.` };
  if (prepared) {
    const { done, total } = prepared;
    const text = `${before}${words.preparing}: ${count(done)} of ${count(total)}${left}`;
    return { text, share: done / Math.max(1, total) };
  }
  return { text: `${before || "Getting ready. "}Turning texts into tokens.` };
}
