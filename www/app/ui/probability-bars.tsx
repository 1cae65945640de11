/** A prediction as one bar per label. */
import type { Prediction } from "webtune";
import { count, percent } from "./format";
import "./bars.css";

interface Props {
  title: string;
  prediction: Pick<Prediction, "label" | "labels" | "probabilities" | "thresholds">;
  testId: string;
}

/** Labels drawn at once. */
const MOST = 20;

export function ProbabilityBars({ title, prediction, testId }: Props) {
  const { label: predicted, labels, probabilities, thresholds } = prediction;
  const given = new Set(typeof predicted === "string" ? [predicted] : predicted);
  const all = labels.map((label, index) => ({
    label,
    share: probabilities[index] ?? 0,
    threshold: thresholds?.[index],
  }));
  const isAll = all.length <= MOST;
  const shown = isAll ? all : [...all].sort((a, b) => b.share - a.share).slice(0, MOST);
  return (
    <section class="probabilities" aria-label={title} data-testid={testId}>
      <h3>
        {title} <strong data-testid={`${testId}-label`}>{[...given].join(", ") || "no label"}</strong>
      </h3>
      <ul class="bars">
        {shown.map(({ label, share, threshold }) => (
          <li key={label} class={given.has(label) ? "bar-top" : ""}>
            <span class="bar-name" title={label}>
              {label}
            </span>
            <span class="bar" aria-hidden="true">
              <span class="bar-fill" style={{ width: `${100 * share}%` }} />
              {threshold === undefined ? null : (
                <span
                  class="bar-threshold"
                  data-testid={`${testId}-threshold`}
                  style={{ left: `${100 * threshold}%` }}
                />
              )}
            </span>
            <span class="bar-value figures">
              {percent(share)}
              {threshold === undefined ? null : <span class="sr-only"> of at least {percent(threshold)}</span>}
            </span>
          </li>
        ))}
      </ul>
      {isAll ? null : (
        <p class="help" data-testid={`${testId}-left-out`}>
          The {count(MOST)} likeliest of {count(all.length)} labels.
        </p>
      )}
    </section>
  );
}
