/**
 * Enters: the run's state. Leaves: the third step, with the drawer, the controls and the live plots.
 */
import { useEffect, useRef } from "preact/hooks";
import type { RunActions } from "../actions/run";
import type { Checked } from "../checks";
import { count, counted, duration } from "../format";
import { Alert } from "../parts/alert";
import { useConfirm } from "../parts/confirm";
import { OptionDrawer } from "../parts/option-drawer";
import { Plots } from "../parts/plots";
import { ProgressLine } from "../parts/progress-line";
import { RunFacts } from "../parts/run-facts";
import { StepCard } from "../parts/step-card";
import { type RunState, type State, wouldLose } from "../state";

/**
 * The pressed button goes as a run starts and ends, and those of a run wake up later: the keyboard's place stays in their
 * row, and moves on to the first that can be pressed.
 */
function useKeptFocus(status: RunState["status"]) {
  const row = useRef<HTMLDivElement>(null);
  const before = useRef(status);
  useEffect(() => {
    if (before.current === status) return;
    before.current = status;
    const { activeElement } = document;
    const lost = !activeElement || activeElement === document.body || activeElement === row.current;
    if (!lost && !(activeElement.matches(":disabled") && row.current?.contains(activeElement))) return;
    const place = row.current?.querySelector<HTMLElement>("button:not(:disabled)") ?? row.current;
    place?.focus({ preventScroll: true });
  }, [status]);
  return row;
}

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
  const { status, curves, recipe, seed, features, baselines } = run;
  const left = run.etaMs === undefined || status === "paused" ? "" : `, about ${duration(run.etaMs)} left`;
  const prefix = `${nounOf[status] ? `${nounOf[status]}. ` : ""}${seed && seed.count > 1 ? `Seed ${seed.index + 1} of ${seed.count}. ` : ""}`;
  if (curves.step > 0) {
    const { step, totalSteps, epoch, stage } = curves;
    const epochs = recipe ? ` of ${recipe.epochs}` : "";
    const place = stage === "contrastive" ? "Contrastive stage" : `Epoch ${epoch}${epochs}`;
    const text = `${prefix}${place}, step ${count(step)} of ${count(totalSteps)}${left}`;
    return { text, share: step / Math.max(1, totalSteps) };
  }
  if (baselines) return { text: `${prefix}The baselines are measured. Tuning begins.` };
  if (features) {
    const { done, total } = features;
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
      text: "The tuned result has not been exported. A new run takes its place.",
      yes: "Drop it and train",
      act,
    });
  };
  const progress = progressOf(run);
  const buttons = useKeptFocus(run.status);

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
        onChange={(path, value) => actions.setOption(path, value)}
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
          <RunFacts run={run} started={run.started} />
          <Plots run={run} />
        </>
      ) : null}
    </StepCard>
  );
}
