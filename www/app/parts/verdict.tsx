/**
 * Enters: an evaluation. Leaves: what tuning bought, in figures and in plain words.
 */
import type { Evaluation, Report } from "webtune";
import { counted, figure, percent, points } from "../format";

export function verdict(evaluation: Evaluation, keptEpoch: number): { good: boolean; text: string } {
  const { baseline, tuned, rows } = evaluation;
  const fixed = rows.filter((row) => row.predicted === row.label && row.baselinePredicted !== row.label).length;
  const broken = rows.filter((row) => row.predicted !== row.label && row.baselinePredicted === row.label).length;
  const on = `on the ${counted(tuned.count, "validation row")}`;
  if (keptEpoch === 0) {
    return {
      good: false,
      text: `Tuning did not beat the untuned baseline ${on}, so the baseline was kept. More or cleaner examples, more epochs or another learning rate may help.`,
    };
  }
  const changes = `It put ${counted(fixed, "row")} right and ${counted(broken, "row")} wrong.`;
  const gain = tuned.accuracy - baseline.accuracy;
  if (gain <= 0) {
    return {
      good: false,
      text: `${gain === 0 ? "Tuning is no more accurate than" : "Tuning is less accurate than"} the untuned baseline ${on}. ${changes}`,
    };
  }
  // Two rows more or less can be luck of the split.
  const small = fixed - broken <= 2 ? " That is a small difference: another split could turn it round." : "";
  return { good: true, text: `Tuning beats the untuned baseline ${on}. ${changes}${small}` };
}

export function Verdict({ evaluation, keptEpoch }: { evaluation: Evaluation; keptEpoch: number }) {
  const { baseline, tuned } = evaluation;
  const { good, text } = verdict(evaluation, keptEpoch);
  return (
    <>
      <p class={good ? "note note-good" : "note note-warn"} data-testid="verdict">
        {text}
      </p>
      <div class="metrics">
        <Metric name="Accuracy" of={(report) => report.accuracy} baseline={baseline} tuned={tuned} testId="accuracy" />
        <Metric name="Macro F1" of={(report) => report.macroF1} baseline={baseline} tuned={tuned} testId="macro-f1" />
      </div>
      <p class="muted figures">
        Mean loss {figure(tuned.loss)} after tuning, {figure(baseline.loss)} before. These rows chose the best epoch, so
        new texts may do a little worse.
      </p>
    </>
  );
}

interface MetricProps {
  name: string;
  of: (report: Report) => number;
  baseline: Report;
  tuned: Report;
  testId: string;
}

function Metric({ name, of, baseline, tuned, testId }: MetricProps) {
  const difference = of(tuned) - of(baseline);
  const kind = difference > 0 ? "up" : difference < 0 ? "down" : "same";
  return (
    <dl class="metric">
      <div class="metric-main">
        <dt>{name}, tuned</dt>
        <dd data-testid={`${testId}-tuned`}>{percent(of(tuned))}</dd>
      </div>
      <div>
        <dt>Untuned baseline</dt>
        <dd data-testid={`${testId}-baseline`}>{percent(of(baseline))}</dd>
      </div>
      <div>
        <dt>Difference</dt>
        <dd class={kind} data-testid={`${testId}-difference`}>
          {points(difference)}
        </dd>
      </div>
    </dl>
  );
}
