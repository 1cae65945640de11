/**
 * Enters: the run's state. Leaves: the third step, with the drawer, the controls and the live plots.
 */

import { byRecipe } from "../../desk/parts/option-drawer";
import { RunPanel } from "../../desk/parts/run-panel";
import { statusWords } from "../../desk/run-controls";
import { useConfirm } from "../../ui/confirm";
import { count, counted, duration } from "../../ui/format";
import { StepCard } from "../../ui/step-card";
import type { RunActions } from "../actions/run";
import type { Checked } from "../checks";
import { optionGroups } from "../options";
import { Plots } from "../parts/plots";
import { RunFacts } from "../parts/run-facts";
import { type RunState, type State, wouldLose } from "../state";

interface Props {
  state: State;
  checked: Checked;
  actions: RunActions;
}

function progressOf(run: RunState): { text: string; share?: number } {
  const { status, curves, recipe, seed, features, baselines } = run;
  const left = run.etaMs === undefined || status === "paused" ? "" : `, about ${duration(run.etaMs)} left`;
  const prefix = `${statusWords[status]}${seed && seed.count > 1 ? `Seed ${seed.index + 1} of ${seed.count}. ` : ""}`;
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
  const usable = checked.usable.length;
  const needs = [model.status === "ready" ? "" : "load a model", usable > 0 ? "" : "bring in examples"].filter(Boolean);
  const { askIf, dialog } = useConfirm();
  const start = () => {
    const act = () =>
      void actions.start(checked.usable.map(({ text, label }) => ({ text: text.trim(), label: label.trim() })));
    askIf(wouldLose(state), {
      title: "Train again?",
      text: "The tuned result has not been exported. A new run takes its place.",
      yes: "Drop it and train",
      act,
    });
  };

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
      {dialog}
      <RunPanel
        groups={optionGroups}
        words={byRecipe}
        run={run}
        controls={actions.controls}
        ready={needs.length === 0}
        progress={progressOf(run)}
        finished={result.finished}
        onStart={start}
      />
      {run.started ? (
        <>
          <RunFacts run={run} started={run.started} />
          <Plots run={run} />
        </>
      ) : null}
    </StepCard>
  );
}
