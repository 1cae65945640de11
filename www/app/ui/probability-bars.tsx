/** A prediction as one bar per label. */
import type { Prediction } from "webtune";
import { percent } from "./format";
import "./bars.css";

interface Props {
  title: string;
  prediction: Pick<Prediction, "label" | "labels" | "probabilities">;
  testId: string;
}

export function ProbabilityBars({ title, prediction, testId }: Props) {
  return (
    <section class="probabilities" aria-label={title} data-testid={testId}>
      <h3>
        {title} <strong data-testid={`${testId}-label`}>{prediction.label}</strong>
      </h3>
      <ul class="bars">
        {prediction.labels.map((label, index) => {
          const share = prediction.probabilities[index] ?? 0;
          return (
            <li key={label} class={label === prediction.label ? "bar-top" : ""}>
              <span class="bar-name" title={label}>
                {label}
              </span>
              <span class="bar" aria-hidden="true">
                <span class="bar-fill" style={{ width: `${100 * share}%` }} />
              </span>
              <span class="bar-value figures">{percent(share)}</span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
