/**
 * Enters: a run's curves. Leaves: loss, rates and validation accuracy as plots, each layer's rate, the judgements as a table.
 */
import { useMemo } from "preact/hooks";
import type { Baselines } from "webtune";
import { figure, percent } from "../../ui/format";
import { Plot, type Series } from "../../ui/plot";
import { ScrollBox } from "../../ui/scroll-box";
import type { Curves, Judged, RunState } from "../state";
import { baselineKeys, baselineNames } from "./baselines";
import { LayerRates } from "./layer-rates";

export function Plots({ run }: { run: RunState }) {
  const { curves, baselines, recipe } = run;
  const { losses, rates, headRates, groups, judged } = curves;
  const last = curves.totalSteps || (recipe?.totalSteps ?? 0);
  const rate = useMemo(
    () => [
      { name: "Below the head", color: "--series-1", values: rates },
      { name: "Head", color: "--series-2", values: headRates },
    ],
    [rates, headRates],
  );
  const accuracy = useMemo(() => accuracySeries(judged, baselines, last), [judged, baselines, last]);

  return (
    <>
      <div class="plots">
        <LossPlot losses={losses} lastStep={last} />
        <Plot
          testId="plot-accuracy"
          title="Validation accuracy"
          summary={accuracyWords(judged)}
          steps={accuracy.steps}
          series={accuracy.series}
          format={(value) => percent(value, 0)}
          lastStep={last}
          range={[0, 1]}
        />
        <RatePlot series={rate} summary={rateWords(curves)} lastStep={last} />
      </div>
      <LayerRates testId="layer-rates" rates={groups} lastStep={last} />
      {judged.length > 0 ? (
        <details class="drawer">
          <summary>Judgements as a table</summary>
          <JudgedTable judged={judged} />
        </details>
      ) : null}
    </>
  );
}

/** Of all that trains: the loss of every step. */
export function LossPlot({ losses, lastStep }: { losses: number[]; lastStep: number }) {
  const steps = useMemo(() => losses.map((_, index) => index + 1), [losses]);
  const series = useMemo(() => [{ name: "Loss", color: "--series-1", values: losses }], [losses]);
  return (
    <Plot
      testId="plot-loss"
      title="Training loss"
      summary={lossWords(losses)}
      steps={steps}
      series={series}
      format={figure}
      lastStep={lastStep}
    />
  );
}

interface RateProps {
  series: Series[];
  summary: string;
  lastStep: number;
}

export function RatePlot({ series, summary, lastStep }: RateProps) {
  const steps = useMemo(() => series[0]?.values.map((_, index) => index + 1) ?? [], [series]);
  return (
    <Plot
      testId="plot-rate"
      title="Learning rate"
      summary={summary}
      steps={steps}
      series={series}
      format={figure}
      lastStep={lastStep}
    />
  );
}

/** The baselines stand still, from the left end to the right one. */
function accuracySeries(judged: Judged[], baselines: Baselines | undefined, last: number) {
  const end = Math.max(last, judged.at(-1)?.step ?? 0, 1);
  const points = new Map<number, number | null>([[0, null], ...judged.map((one) => [one.step, one.accuracy] as const)]);
  if (!points.has(end)) points.set(end, null);
  const steps = [...points.keys()];
  const series: Series[] = [
    { name: "This run", color: "--series-3", values: [...points.values()], dots: true },
    ...(baselines
      ? baselineKeys.map((key, index) => ({
          name: baselineNames[key],
          color: `--series-${[4, 2, 1][index]}`,
          values: steps.map(() => baselines[key].accuracy),
          dashed: true,
        }))
      : []),
  ];
  return { steps, series };
}

function lossWords(losses: number[]): string {
  const finite = losses.filter(Number.isFinite);
  if (finite.length === 0) return "No step yet.";
  const lowest = finite.reduce((a, b) => Math.min(a, b));
  return `Now ${figure(losses.at(-1) ?? Number.NaN)}, at first ${figure(losses[0] ?? Number.NaN)}, lowest ${figure(lowest)}.`;
}

function rateWords({ rates, headRates }: Curves): string {
  if (rates.length === 0) return "No step yet.";
  return `Now ${figure(rates.at(-1) ?? 0)} below the head, ${figure(headRates.at(-1) ?? 0)} for the head.`;
}

function accuracyWords(judged: Judged[]): string {
  const best = judged.find((one) => one.best);
  if (!best) return "Not judged yet.";
  return `Now ${percent(judged.at(-1)?.accuracy ?? 0)}, best ${percent(best.accuracy)} ${whenWords[best.stage](best.epoch)}.`;
}

const whenWords: Record<Judged["stage"], (epoch: number) => string> = {
  probe: () => "before tuning",
  contrastive: () => "after the contrastive stage",
  classify: (epoch) => `in epoch ${epoch}`,
};

const stageNames: Record<Judged["stage"], (epoch: number) => string> = {
  probe: () => "Before tuning",
  contrastive: () => "Contrastive stage",
  classify: (epoch) => `Epoch ${epoch}`,
};

function JudgedTable({ judged }: { judged: Judged[] }) {
  return (
    <ScrollBox label="Judgements">
      <table data-testid="epoch-table">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col" class="number">
              Step
            </th>
            <th scope="col" class="number">
              Accuracy
            </th>
            <th scope="col" class="number">
              Macro F1
            </th>
          </tr>
        </thead>
        <tbody>
          {judged.map((one) => (
            <tr key={`${one.stage}|${one.step}`}>
              <th scope="row">
                {stageNames[one.stage](one.epoch)} {one.best ? <span class="tag">best</span> : null}
              </th>
              <td class="number">{one.step}</td>
              <td class="number">{percent(one.accuracy)}</td>
              <td class="number">{percent(one.macroF1)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}
