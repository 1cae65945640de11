/** The plots of a run: training loss, a measure on the validation rows next to its baselines, and learning rate. */
import { useMemo } from "preact/hooks";
import { figure } from "../../ui/format";
import { Plot, type Series } from "../../ui/plot";
import type { Line } from "../line";
import type { Curves } from "../state";

/** A value that does not change during the run. */
export interface BaselineLine {
  name: string;
  color: string;
  value: number;
}

export interface MeasuredPoint {
  step: number;
  value: number;
  best: boolean;
}

interface Props {
  curves: Curves;
  /** Known before the first step. */
  totalSteps: number;
  validation: {
    testId: string;
    title: string;
    points: MeasuredPoint[];
    baselines: BaselineLine[];
    format: (value: number) => string;
    /** When the best value was measured. */
    when: string;
    /** On the axis; `format` if left out. */
    axis?: (value: number) => string;
    range?: [number, number];
  };
  /** Rates other than that of the weights below the head. */
  moreRates?: { name: string; line: Line }[];
}

const noRates: { name: string; line: Line }[] = [];

export function RunPlots({ curves, totalSteps, validation, moreRates = noRates }: Props) {
  const { losses, rates } = curves;
  const last = curves.totalSteps || totalSteps;
  const loss = useMemo(() => [{ name: "Loss", color: "--series-1", values: losses.values }], [losses]);
  const rate = useMemo(() => {
    const all = [{ name: moreRates.length > 0 ? "Below the head" : "Rate", line: rates }, ...moreRates];
    return all.map(({ name, line }, index) => ({ name, values: line.values, color: `--series-${index + 1}` }));
  }, [rates, moreRates]);
  const { points, baselines } = validation;
  const measured = useMemo(() => measuredSeries(points, baselines, last), [points, baselines, last]);
  return (
    <div class="plots">
      <Plot
        testId="plot-loss"
        title="Training loss"
        summary={lossWords(losses)}
        steps={losses.steps}
        series={loss}
        format={figure}
        lastStep={last}
      />
      <Plot
        testId={validation.testId}
        title={validation.title}
        summary={measuredWords(validation)}
        steps={measured.steps}
        series={measured.series}
        format={validation.axis ?? validation.format}
        lastStep={last}
        {...(validation.range ? { range: validation.range } : {})}
      />
      <Plot
        testId="plot-rate"
        title="Learning rate"
        summary={rateWords(rate)}
        steps={rates.steps}
        series={rate}
        format={figure}
        lastStep={last}
      />
    </div>
  );
}

/** Baselines are level lines from the left end to the right one. */
function measuredSeries(points: MeasuredPoint[], baselines: BaselineLine[], last: number) {
  const end = Math.max(last, points.at(-1)?.step ?? 0, 1);
  const values = new Map<number, number | null>([
    [0, null],
    ...points.map(({ step, value }) => [step, value] as const),
  ]);
  if (!values.has(end)) values.set(end, null);
  const steps = [...values.keys()];
  const series: Series[] = [
    { name: "This run", color: "--series-3", values: [...values.values()], dots: true },
    ...baselines.map(({ name, color, value }) => ({ name, color, values: steps.map(() => value), dashed: true })),
  ];
  return { steps, series };
}

function lossWords({ first, last, lowest }: Line): string {
  if (lowest === Infinity) return "No step yet.";
  return `Now ${figure(last)}, at first ${figure(first)}, lowest ${figure(lowest)}.`;
}

function measuredWords({ points, format, when }: Props["validation"]): string {
  const best = points.find((one) => one.best);
  const now = points.at(-1);
  if (!best || !now) return "Not measured yet.";
  return `Now ${format(now.value)}, best ${format(best.value)} ${when}.`;
}

function rateWords(rates: Pick<Series, "name" | "values">[]): string {
  const now = rates.map(({ name, values }) => ({ name, value: values.at(-1) }));
  if (now[0]?.value === undefined) return "No step yet.";
  const words = now.map(
    ({ name, value }) => `${figure(value ?? 0)}${now.length > 1 ? ` (${name.toLowerCase()})` : ""}`,
  );
  return `Now ${words.join(", ")}.`;
}
