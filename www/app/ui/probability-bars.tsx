/** A prediction as one bar per label. */
import type { Prediction } from "webtune";
import { count, percent } from "./format";
import "./bars.css";

interface Props {
  title: string;
  prediction: Pick<Prediction, "label" | "labels" | "probabilities">;
  testId: string;
}

/** Labels drawn at once. */
const MOST = 20;

export function ProbabilityBars({ title, prediction, testId }: Props) {
  const { label: predicted, labels, probabilities } = prediction;
  const all = labels.map((label, index) => ({ label, share: probabilities[index] ?? 0 }));
  const isAll = all.length <= MOST;
  const shown = isAll ? all : [...all].sort((a, b) => b.share - a.share).slice(0, MOST);
  return (
    <section class="probabilities" aria-label={title} data-testid={testId}>
      <h3>
        {title} <strong data-testid={`${testId}-label`}>{predicted}</strong>
      </h3>
      <ul class="bars">
        {shown.map(({ label, share }) => (
          <li key={label} class={label === predicted ? "bar-top" : ""}>
            <span class="bar-name" title={label}>
              {label}
            </span>
            <span class="bar" aria-hidden="true">
              <span class="bar-fill" style={{ width: `${100 * share}%` }} />
            </span>
            <span class="bar-value figures">{percent(share)}</span>
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
