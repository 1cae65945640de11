/**
 * Enters: the end of a run. Leaves: the fourth step, the tuned model beside the baselines.
 */

import { StepCard } from "../../ui/step-card";
import { ClassTable } from "../parts/class-table";
import { ConfusionMatrix } from "../parts/confusion-matrix";
import { Misclassified } from "../parts/misclassified";
import { SeedTable } from "../parts/seed-table";
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
      lead="Measured on validation rows that never trained, beside what the same model does without fine-tuning."
      waiting={waiting}
    >
      {finished ? (
        <div class="stack" data-testid="results">
          <Verdict finished={finished} />
          {finished.seeds ? <SeedTable runs={finished.seeds.runs} summary={finished.seeds} /> : null}
          <ClassTable evaluation={finished.evaluation} />
          <ConfusionMatrix evaluation={finished.evaluation} />
          <Misclassified evaluation={finished.evaluation} />
        </div>
      ) : null}
    </StepCard>
  );
}
