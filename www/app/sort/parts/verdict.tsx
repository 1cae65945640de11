/** What tuning gained, in figures and in the engine's words. */
import type { Forgetting, Report } from "webtune";
import { counted, percent, points } from "../../ui/format";
import { scoreOf } from "../score";
import type { EventOf } from "../state";
import { BaselineTable, baselineNames } from "./baselines";
import { judge } from "./difference";
import "./verdict.css";

export function Verdict({ finished }: { finished: EventOf<"finished"> }) {
  const { evaluation, forgetting, verdict } = finished;
  const { baselines, bestBaseline, tuned, comparison } = evaluation;
  const { several, title } = scoreOf(tuned);
  const wins = judge(comparison).word === "better";
  const against = { name: baselineNames[bestBaseline].toLowerCase(), baseline: baselines[bestBaseline], tuned };
  return (
    <>
      <p class={wins ? "note note-good" : "note note-warn"} data-testid="verdict" data-wins={wins}>
        {verdict}
      </p>
      <div class="metrics">
        <Metric
          {...against}
          title={title}
          of={(report) => scoreOf(report).value}
          testId={several ? "micro-f1" : "accuracy"}
        />
        <Metric {...against} title="Macro F1" of={(report) => report.macroF1} testId="macro-f1" />
        <Similarity forgetting={forgetting} />
      </div>
      <BaselineTable baselines={baselines} best={bestBaseline} tuned={{ name: "Tuned", report: tuned, comparison }} />
      <p class="help">
        {several
          ? "The best epoch and each label's threshold were chosen on these rows, so scores on new texts may be a little lower."
          : "The best epoch was chosen on these rows, so accuracy on new texts may be a little lower."}{" "}
        A similarity of 1 means that the model represents general sentences as it did before tuning; lower values mean
        that more was forgotten.
      </p>
    </>
  );
}

interface MetricProps {
  title: string;
  of: (report: Report) => number;
  name: string;
  baseline: Report;
  tuned: Report;
  testId: string;
}

function Metric({ title, of, name, baseline, tuned, testId }: MetricProps) {
  const difference = of(tuned) - of(baseline);
  const kind = difference > 0 ? "up" : difference < 0 ? "down" : "same";
  return (
    <dl class="metric">
      <div class="metric-main">
        <dt>{title}, tuned</dt>
        <dd data-testid={`${testId}-tuned`}>{percent(of(tuned))}</dd>
      </div>
      <div>
        <dt>Best baseline, {name}</dt>
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

function Similarity({ forgetting: { meanCosine, lowest, sentences } }: { forgetting: Forgetting }) {
  return (
    <dl class="metric" data-testid="forgetting">
      <div class="metric-main">
        <dt>Similarity of sentence vectors before and after</dt>
        <dd>{meanCosine.toFixed(3)}</dd>
      </div>
      <div>
        <dt>Most changed</dt>
        <dd>{lowest.toFixed(3)}</dd>
      </div>
      <div>
        <dt>Measured on</dt>
        <dd>{counted(sentences, "sentence")}</dd>
      </div>
    </dl>
  );
}
