/**
 * Enters: the end of a run. Leaves: the fourth step, the tuned model beside the untuned baseline.
 */
import { ClassTable } from "../parts/class-table";
import { ConfusionMatrix } from "../parts/confusion-matrix";
import { Misclassified } from "../parts/misclassified";
import { StepCard } from "../parts/step-card";
import { Verdict } from "../parts/verdict";
import type { State } from "../state";

export function ResultsStep({ state }: { state: State }) {
  const { finished, origin } = state.result;
  const waiting = finished
    ? undefined
    : origin === "imported"
      ? "An imported adapter brings no validation rows. Train to see results."
      : "They appear when a run ends.";
  return (
    <StepCard
      id="results"
      number={4}
      title="Results"
      lead="Measured on validation rows that never trained. The baseline is the same model untuned, with a fitted head."
      waiting={waiting}
    >
      {finished ? (
        <div class="stack" data-testid="results">
          <Verdict evaluation={finished.evaluation} keptEpoch={finished.keptEpoch} />
          <ClassTable evaluation={finished.evaluation} />
          <ConfusionMatrix evaluation={finished.evaluation} />
          <Misclassified evaluation={finished.evaluation} />
        </div>
      ) : null}
    </StepCard>
  );
}
