/** The third step: a classifier's run, its baselines, recipe and curves. */
import { useMemo } from "preact/hooks";
import { emptyLine } from "../../desk/line";
import { RunFacts } from "../../desk/parts/run-facts";
import { RunPlots } from "../../desk/parts/run-plots";
import { isBusy } from "../../desk/state";
import { type RunWords, TrainStep } from "../../desk/steps/train";
import { counted, percent } from "../../ui/format";
import type { Checked } from "../checks";
import type { SortDesk } from "../desk";
import { isClassifying } from "../file-state";
import { sortGroups } from "../options";
import { BaselineTable, baselineKeys, baselineNames } from "../parts/baselines";
import { EvaluationTable, evaluationNames } from "../parts/evaluation-table";
import { LayerRates } from "../parts/layer-rates";
import { RecipeCard } from "../parts/recipe-card";
import { SeedTable } from "../parts/seed-table";
import { scoreOf } from "../score";
import type { SortState } from "../state";

const words: RunWords = {
  drawer: {
    none: "all by recipe",
    rest: "the rest by recipe",
    help: "The recipe decides what is left empty, from your examples and this device. It reports its choices when a run starts.",
    empty: "recipe decides",
    reset: "Reset to the recipe",
  },
  addRows: "add examples",
  preparing: "Reading the texts once",
  measured: "The baselines are measured",
};

export function SortTrainStep({ state, desk, checked }: { state: SortState; desk: SortDesk; checked: Checked }) {
  const { findings, curves } = state.run;
  const { seed, recipe, stage } = findings;
  const ofSeeds = seed && seed.count > 1 ? `Seed ${seed.index + 1} of ${seed.count}. ` : "";
  const epoch = `Epoch ${curves.epoch}${recipe ? ` of ${recipe.epochs}` : ""}`;
  return (
    <TrainStep
      groups={sortGroups}
      words={words}
      state={state}
      actions={desk.run}
      rows={checked.usable}
      busy={isClassifying(state.file)}
      ready={`${counted(checked.usable.length, "example")} and ${counted(checked.labels.length, "label")} are ready`}
      place={`${ofSeeds}${stage === "contrastive" ? "Contrastive stage" : epoch}`}
      isMeasured={findings.baselines !== undefined}
    >
      <Facts state={state} />
      <Curves state={state} />
    </TrainStep>
  );
}

function Facts({ state: { run } }: { state: SortState }) {
  const { started, findings } = run;
  const { recipe, baselines, seedRuns } = findings;
  if (!started) return null;
  const { cachedLayers } = started;
  const cached = `, with the output of ${counted(cachedLayers, "frozen layer")} computed once and reused`;
  return (
    <>
      <RunFacts
        started={started}
        noun="row"
        train={started.trainRows}
        validation={started.validationRows}
        memory={cachedLayers > 0 ? cached : ""}
      />
      {recipe ? <RecipeCard recipe={recipe} /> : null}
      {/* After the run, its results show the same next to the tuned model. */}
      {baselines && isBusy(run) ? <BaselineTable baselines={baselines} /> : null}
      {seedRuns && isBusy(run) ? <SeedTable runs={seedRuns} /> : null}
    </>
  );
}

function Curves({ state: { run } }: { state: SortState }) {
  const { curves, findings } = run;
  const { evaluations } = curves;
  const { baselines, recipe, headRates, groups = [] } = findings;
  const totalSteps = recipe?.totalSteps ?? 0;
  const points = useMemo(() => evaluations.map((one) => ({ ...one, value: one.value })), [evaluations]);
  const lines = useMemo(
    () =>
      baselines
        ? baselineKeys.map((key, index) => ({
            name: baselineNames[key],
            color: `--series-${[4, 2, 1][index]}`,
            value: scoreOf(baselines[key]).value,
          }))
        : [],
    [baselines],
  );
  const moreRates = useMemo(() => [{ name: "Head", line: headRates ?? emptyLine }], [headRates]);
  const best = evaluations.find((one) => one.best);
  return (
    <>
      <RunPlots
        curves={curves}
        totalSteps={totalSteps}
        moreRates={moreRates}
        validation={{
          testId: "plot-accuracy",
          title: baselines && scoreOf(baselines.probe).several ? "Validation micro F1" : "Validation accuracy",
          points,
          baselines: lines,
          format: percent,
          axis: (value) => percent(value, 0),
          when: best ? evaluationNames[best.stage].during(best.epoch) : "",
          range: [0, 1],
        }}
      />
      <LayerRates testId="layer-rates" rates={groups} lastStep={curves.totalSteps || totalSteps} />
      {evaluations.length > 0 ? (
        <details class="drawer">
          <summary>Evaluations as a table</summary>
          <EvaluationTable
            title={baselines ? scoreOf(baselines.probe).title : "Accuracy"}
            evaluations={evaluations}
            evaluated={curves.evaluated}
          />
        </details>
      ) : null}
    </>
  );
}
