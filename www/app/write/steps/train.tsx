/**
 * Enters: the run's state. Leaves: the third step, with the drawer, the controls, the live plots and the samples.
 */

import { RunPanel } from "../../desk/parts/run-panel";
import { statusWords } from "../../desk/run-controls";
import { useConfirm } from "../../ui/confirm";
import { bytes, count, counted, duration, percent } from "../../ui/format";
import { StepCard } from "../../ui/step-card";
import type { LanguageRunActions } from "../actions/run";
import { byDefault, languageGroups } from "../options";
import { LanguagePlots } from "../parts/plots";
import { Samples } from "../parts/samples";
import { type LanguageEventOf, type LanguageRunState, type LanguageState, wouldLoseTuned } from "../state";

function progressOf(run: LanguageRunState): { text: string; share?: number } {
  const { status, step, totalSteps, epoch, scored, base } = run;
  const before = statusWords[status];
  const left = run.etaMs === undefined || status === "paused" ? "" : `, about ${duration(run.etaMs)} left`;
  const speed = run.tokensPerSecond === undefined ? "" : `, ${count(run.tokensPerSecond)} tokens a second`;
  if (step > 0) {
    const text = `${before}Epoch ${epoch}, step ${count(step)} of ${count(totalSteps)}${speed}${left}`;
    return { text, share: step / Math.max(1, totalSteps) };
  }
  if (base) return { text: `${before}The untuned model is measured. Tuning begins.` };
  if (scored) {
    const { done, total } = scored;
    return {
      text: `${before}Measuring the untuned model: batch ${count(done)} of ${count(total)}`,
      share: done / Math.max(1, total),
    };
  }
  return { text: `${before || "Getting ready. "}Turning texts into tokens.` };
}

export function LanguageTrainStep({ state, actions }: { state: LanguageState; actions: LanguageRunActions }) {
  const { model, texts, run, result, trying } = state;
  const needs = [model.status === "ready" ? "" : "load a model", texts.items.length > 0 ? "" : "bring in texts"].filter(
    Boolean,
  );
  const { askIf, dialog } = useConfirm();
  const start = () => {
    const rows = texts.items.map(({ row }, index) => ({ ...row, row: index + 1 }));
    const act = () => void actions.start(rows);
    askIf(wouldLoseTuned(state), {
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
          : `${counted(texts.items.length, "text is", "texts are")} ready for ${model.info?.name ?? "the model"}.`
      }
    >
      {dialog}
      <RunPanel
        groups={languageGroups}
        words={byDefault}
        run={run}
        controls={actions.controls}
        ready={needs.length === 0 && !result.busy && !trying.busy}
        progress={progressOf(run)}
        finished={result.finished}
        onStart={start}
      />
      {run.started ? (
        <>
          <Facts started={run.started} />
          <LanguagePlots run={run} />
          <Samples judged={run.judged} />
        </>
      ) : null}
    </StepCard>
  );
}

function Facts({ started }: { started: LanguageEventOf<"started"> }) {
  const { trainTexts, validationTexts, trainTokens, trainTargets, trainedParameters, totalParameters } = started;
  return (
    <>
      {started.warnings.length > 0 ? (
        <ul class="note note-warn" data-testid="train-warnings">
          {started.warnings.map((warning) => (
            <li key={warning}>{warning}</li>
          ))}
        </ul>
      ) : null}
      <p class="muted figures" data-testid="train-facts">
        {counted(trainTexts, "text")} {trainTexts === 1 ? "trains" : "train"}, {counted(validationTexts, "text")}{" "}
        {validationTexts === 1 ? "judges" : "judge"}. {count(trainTokens)} tokens, {count(trainTargets)} of them learnt.{" "}
        {count(trainedParameters)} of {count(totalParameters)} parameters (
        {percent(trainedParameters / totalParameters, 2)}) are tuned. Memory: about {bytes(started.memoryEstimate)}
        {started.gradientCheckpointing ? ", with gradient checkpointing" : ""}.
      </p>
    </>
  );
}
