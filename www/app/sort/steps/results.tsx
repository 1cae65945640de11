/** The fourth step: the tuned classifier next to the baselines. */
import { StepCard } from "../../ui/step-card";
import { ClassTable } from "../parts/class-table";
import { ConfusionMatrix } from "../parts/confusion-matrix";
import { Misclassified } from "../parts/misclassified";
import { SeedTable } from "../parts/seed-table";
import { Verdict } from "../parts/verdict";
import { scoreOf } from "../score";
import type { SortState } from "../state";

export function SortResultsStep({ state }: { state: SortState }) {
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
      lead="Measured on validation rows that were not trained on, next to the same model without fine-tuning."
      waiting={waiting}
    >
      {finished ? (
        <div class="stack" data-testid="results">
          <Verdict finished={finished} />
          {finished.seeds ? <SeedTable runs={finished.seeds.runs} summary={finished.seeds} /> : null}
          <ClassTable evaluation={finished.evaluation} />
          {scoreOf(finished.evaluation.tuned).several ? null : <ConfusionMatrix evaluation={finished.evaluation} />}
          <Misclassified evaluation={finished.evaluation} />
        </div>
      ) : null}
    </StepCard>
  );
}
