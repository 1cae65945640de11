/**
 * Enters: a language model's run. Leaves: loss, perplexity on the validation texts and rate as plots.
 */
import { useMemo } from "preact/hooks";
import type { FewShot, Likelihood } from "webtune";
import { LossPlot, RatePlot } from "../../sort/parts/plots";
import { figure } from "../../ui/format";
import { Plot, type Series } from "../../ui/plot";
import type { JudgedTexts, LanguageRunState } from "../state";

export function LanguagePlots({ run }: { run: LanguageRunState }) {
  const { losses, rates, judged, base, fewShot } = run;
  const last = run.totalSteps || (run.started?.totalSteps ?? 0);
  const rate = useMemo(() => [{ name: "Rate", color: "--series-1", values: rates }], [rates]);
  const perplexity = useMemo(() => perplexitySeries(judged, base, fewShot, last), [judged, base, fewShot, last]);
  return (
    <div class="plots">
      <LossPlot losses={losses} lastStep={last} />
      <Plot
        testId="plot-perplexity"
        title="Validation perplexity"
        summary={perplexityWords(judged)}
        steps={perplexity.steps}
        series={perplexity.series}
        format={figure}
        lastStep={last}
      />
      <RatePlot
        series={rate}
        summary={rates.length === 0 ? "No step yet." : `Now ${figure(rates.at(-1) ?? 0)}.`}
        lastStep={last}
      />
    </div>
  );
}

/** What does not train stands still, from the left end to the right one. */
function perplexitySeries(
  judged: JudgedTexts[],
  base: Likelihood | undefined,
  fewShot: FewShot | null | undefined,
  last: number,
) {
  const points = new Map<number, number | null>(judged.map((one) => [one.step, one.likelihood.perplexity]));
  const end = Math.max(last, judged.at(-1)?.step ?? 0, 1);
  if (!points.has(end)) points.set(end, null);
  const steps = [...points.keys()];
  const still = (name: string, color: string, value: number): Series => ({
    name,
    color,
    values: steps.map(() => value),
    dashed: true,
  });
  const series: Series[] = [{ name: "This run", color: "--series-3", values: [...points.values()], dots: true }];
  if (base) series.push(still("Untuned", "--series-4", base.perplexity));
  if (fewShot) series.push(still("Examples in the prompt", "--series-2", fewShot.likelihood.perplexity));
  return { steps, series };
}

function perplexityWords(judged: JudgedTexts[]): string {
  const best = judged.find((one) => one.best);
  if (!best) return "Not judged yet.";
  const when = best.step === 0 ? "before tuning" : `at step ${best.step}`;
  return `Now ${figure(judged.at(-1)?.likelihood.perplexity ?? 0)}, best ${figure(best.likelihood.perplexity)} ${when}.`;
}
