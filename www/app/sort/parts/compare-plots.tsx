/** The losses and accuracies of runs, one line per run in two plots. */
import { useMemo } from "preact/hooks";
import type { RunRecord } from "webtune";
import { thinned } from "../../desk/line";
import { counted, figure, listed, percent } from "../../ui/format";
import { Plot, type Series } from "../../ui/plot";

const COLORS = 6;
/** Points of a line; a screen has no room for more. */
const MOST = 1000;

/** By a run's place among all, so that its colour stays the same while others are hidden. */
export const runColor = (index: number): string => `--series-${(index % COLORS) + 1}`;

interface Point {
  step: number;
  value: number;
}

interface Drawn {
  record: RunRecord;
  index: number;
}

export function ComparePlots({ records, hidden }: { records: RunRecord[]; hidden: ReadonlySet<string> }) {
  const drawn = useMemo(
    () => records.map((record, index) => ({ record, index })).filter(({ record }) => !hidden.has(record.id)),
    [records, hidden],
  );
  const loss = useMemo(
    () => overlaid(drawn, ({ curve }) => thinned(curve, MOST).map(({ step, loss }) => ({ step, value: loss })), false),
    [drawn],
  );
  const accuracy = useMemo(() => overlaid(drawn, accuraciesOf, true), [drawn]);
  if (drawn.length === 0) return <p class="muted">Select a run to see its curves.</p>;
  const last = Math.max(loss.steps.at(-1) ?? 0, accuracy.steps.at(-1) ?? 0);
  const shares = accuracy.series.flatMap(({ values }) => values.map((value) => value ?? 1));
  const lowestShare = shares.reduce((lowest, value) => Math.min(lowest, value), 0.9);
  const best = drawn.map(({ record }) => `${record.name} ${percent(record.tuned.accuracy)}`);
  const lowest = drawn.map(({ record }) => {
    const end = record.curve.at(-1)?.loss;
    return `${record.name} ${end === undefined ? "no step" : figure(end)}`;
  });
  return (
    <div class="plots wide-plots">
      <Plot
        testId="compare-accuracy"
        title="Validation accuracy"
        summary={`${counted(drawn.length, "run")}; best: ${listed(best)}.`}
        steps={accuracy.steps}
        series={accuracy.series}
        format={(value) => percent(value, 0)}
        lastStep={last}
        range={[Math.floor(lowestShare * 10) / 10, 1]}
      />
      <Plot
        testId="compare-loss"
        title="Training loss"
        summary={`${counted(drawn.length, "run")}; last: ${listed(lowest)}.`}
        steps={loss.steps}
        series={loss.series}
        format={figure}
        lastStep={last}
      />
    </div>
  );
}

/** Every run begins with its fitted head, at step 0. */
const accuraciesOf = ({ baselines, evaluations }: RunRecord): Point[] => [
  { step: 0, value: baselines.probe.accuracy },
  ...thinned(evaluations, MOST).map(({ step, accuracy }) => ({ step, value: accuracy })),
];

/** All runs over the union of their steps. */
function overlaid(drawn: Drawn[], pointsOf: (record: RunRecord) => Point[], dots: boolean) {
  const lines = drawn.map(({ record }) => new Map(pointsOf(record).map(({ step, value }) => [step, value])));
  const steps = [...new Set(lines.flatMap((line) => [...line.keys()]))].sort((a, b) => a - b);
  const series: Series[] = drawn.map(({ record, index }, at) => ({
    name: record.name,
    color: runColor(index),
    values: steps.map((step) => lines[at]?.get(step) ?? null),
    dots,
    dashed: index >= COLORS,
  }));
  return { steps, series };
}
