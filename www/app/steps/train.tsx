/**
 * Enters: the run's state. Leaves: the third step, with the drawer, the controls and the live plots.
 */
import { useEffect, useRef } from "preact/hooks";
import { type RunActions, splitWords } from "../actions/run";
import type { Checked } from "../checks";
import { bytes, count, counted, duration, percent } from "../format";
import { Alert } from "../parts/alert";
import { useConfirm } from "../parts/confirm";
import { OptionDrawer } from "../parts/option-drawer";
import { Plots } from "../parts/plots";
import { ProgressLine } from "../parts/progress-line";
import { StepCard } from "../parts/step-card";
import { type RunState, type State, wouldLose } from "../state";

interface Props {
  state: State;
  checked: Checked;
  actions: RunActions;
}

const nounOf: Record<RunState["status"], string> = {
  idle: "",
  starting: "Starting",
  running: "",
  paused: "Paused",
  stopping: "Stopping",
};

function progressOf(run: RunState): { text: string; share?: number } {
  const left = run.etaMs === undefined || run.status === "paused" ? "" : `, about ${duration(run.etaMs)} left`;
  const prefix = nounOf[run.status] ? `${nounOf[run.status]}. ` : "";
  if (run.step > 0 && run.started) {
    const { totalSteps, epochs } = run.started;
    const text = `${prefix}Epoch ${run.epoch} of ${epochs}, step ${count(run.step)} of ${count(totalSteps)}${left}`;
    return { text, share: run.step / Math.max(1, totalSteps) };
  }
  if (run.accuracies.length > 0) return { text: `${prefix}The head is fitted. Tuning begins.` };
  if (run.features) {
    const { done, total } = run.features;
    return {
      text: `${prefix}Reading the texts once: ${count(done)} of ${count(total)}${left}`,
      share: done / Math.max(1, total),
    };
  }
  return { text: `${prefix || "Getting ready. "}Turning texts into tokens.` };
}

export function TrainStep({ state, checked, actions }: Props) {
  const { model, run, result } = state;
  const busy = run.status !== "idle";
  const usable = checked.usable.length;
  const needs = [model.status === "ready" ? "" : "load a model", usable > 0 ? "" : "bring in examples"].filter(Boolean);
  const { ask, dialog } = useConfirm();
  const start = () => {
    const act = () =>
      void actions.start(checked.usable.map(({ text, label }) => ({ text: text.trim(), label: label.trim() })));
    if (!wouldLose(state)) return act();
    ask({
      title: "Train again?",
      text: "The tuned adapter has not been exported. A new run takes its place.",
      yes: "Drop it and train",
      act,
    });
  };
  const progress = progressOf(run);
  // The pressed button goes as a run starts and ends: the keyboard's place must not go with it.
  const buttons = useRef<HTMLDivElement>(null);
  const wasBusy = useRef(busy);
  useEffect(() => {
    if (wasBusy.current === busy) return;
    wasBusy.current = busy;
    const lost = document.activeElement === document.body || document.activeElement === null;
    const row = buttons.current;
    if (lost) (row?.querySelector<HTMLElement>("button:not(:disabled)") ?? row)?.focus();
  }, [busy]);

  return (
    <StepCard
      id="train"
      number={3}
      title="Train"
      lead={
        needs.length > 0
          ? `To start, first ${needs.join(" and ")}.`
          : `${counted(usable, "example")} and ${counted(checked.labels.length, "label")} are ready for ${model.info?.name ?? "the model"}.`
      }
    >
      <OptionDrawer
        values={run.options}
        errors={run.fieldErrors}
        disabled={busy}
        onChange={(name, value) => actions.setOption(name, value)}
        onReset={() => actions.resetOptions()}
      />
      <div class="row" ref={buttons} tabIndex={-1}>
        {busy ? (
          <>
            {run.status === "paused" ? (
              <button type="button" class="primary" data-testid="resume" onClick={() => actions.resume()}>
                Resume
              </button>
            ) : (
              <button
                type="button"
                data-testid="pause"
                disabled={run.status !== "running"}
                onClick={() => actions.pause()}
              >
                Pause
              </button>
            )}
            <button
              type="button"
              data-testid="stop"
              disabled={run.status !== "running" && run.status !== "paused"}
              onClick={() => actions.stop()}
            >
              Stop and keep the best
            </button>
          </>
        ) : (
          <button
            type="button"
            class={needs.length === 0 && !result.finished ? "primary" : ""}
            data-testid="start"
            disabled={needs.length > 0}
            onClick={start}
          >
            {result.finished ? "Train again" : "Start training"}
          </button>
        )}
      </div>
      {dialog}
      <Alert message={run.error} testId="train-error" />
      {busy ? (
        <ProgressLine testId="train-progress" label="Training" text={progress.text} share={progress.share} />
      ) : result.finished ? (
        <p
          class={result.finished.reason === "diverged" ? "note note-warn" : "note note-good"}
          data-testid="train-finished"
          data-reason={result.finished.reason}
        >
          {result.finished.message}
        </p>
      ) : null}
      {run.started ? (
        <>
          {run.started.warnings.length > 0 ? (
            <ul class="note note-warn" data-testid="train-warnings">
              {run.started.warnings.map((warning) => (
                <li key={warning}>{warning}</li>
              ))}
            </ul>
          ) : null}
          <p class="muted figures" data-testid="train-facts">
            {splitWords(run.started.trainRows, run.started.validationRows)}. {count(run.started.trainedParameters)} of{" "}
            {count(run.started.totalParameters)} parameters (
            {percent(run.started.trainedParameters / run.started.totalParameters, 2)}) are tuned. Memory: about{" "}
            {bytes(run.started.memoryEstimate)}.
          </p>
          <Plots run={run} />
        </>
      ) : null}
    </StepCard>
  );
}
