/**
 * Enters: what a run has told before its steps. Leaves: warnings, sizes, the baselines and the recipe's choices.
 */
import { bytes, count, counted, percent } from "../../ui/format";
import { type EventOf, isBusy, type RunState } from "../state";
import { BaselineTable } from "./baselines";
import { RecipeCard } from "./recipe-card";
import { SeedTable } from "./seed-table";

export function RunFacts({ run, started }: { run: RunState; started: EventOf<"started"> }) {
  const { warnings, trainRows, validationRows, trainedParameters, totalParameters, memoryEstimate, cachedLayers } =
    started;
  return (
    <>
      {warnings.length > 0 ? (
        <ul class="note note-warn" data-testid="train-warnings">
          {warnings.map((warning) => (
            <li key={warning}>{warning}</li>
          ))}
        </ul>
      ) : null}
      <p class="muted figures" data-testid="train-facts">
        {counted(trainRows, "row")} {trainRows === 1 ? "trains" : "train"}, {counted(validationRows, "row")}{" "}
        {validationRows === 1 ? "judges" : "judge"}. {count(trainedParameters)} of {count(totalParameters)} parameters (
        {percent(trainedParameters / totalParameters, 2)}) are tuned. Memory: about {bytes(memoryEstimate)}.
        {cachedLayers > 0 ? ` The output of ${counted(cachedLayers, "frozen layer")} is computed once and reused.` : ""}
      </p>
      {run.recipe ? <RecipeCard recipe={run.recipe} /> : null}
      {/* When the run has ended, its results say the same beside the tuned model. */}
      {run.baselines && isBusy(run) ? <BaselineTable baselines={run.baselines} /> : null}
      {run.seedRuns.length > 0 && isBusy(run) ? <SeedTable runs={run.seedRuns} /> : null}
    </>
  );
}
