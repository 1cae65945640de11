/** True labels against predicted ones, shaded, of the tuned model or a baseline. */
import { useId, useState } from "preact/hooks";
import type { Baselines, Evaluation } from "webtune";
import { count } from "../../ui/format";
import { ScrollBox } from "../../ui/scroll-box";
import { baselineKeys, baselineNames } from "./baselines";
import "./confusion-matrix.css";
import "../../ui/segments.css";

export function ConfusionMatrix({ evaluation }: { evaluation: Evaluation }) {
  const name = useId();
  const [which, setWhich] = useState<"tuned" | keyof Baselines>("tuned");
  const { labels, tuned, baselines } = evaluation;
  const { confusion } = which === "tuned" ? tuned : baselines[which];
  return (
    <div>
      <fieldset class="segments">
        <legend>Confusion matrix</legend>
        {(["tuned", ...baselineKeys] as const).map((one) => (
          <label key={one}>
            <input
              type="radio"
              name={name}
              value={one}
              checked={which === one}
              data-testid={`confusion-${one}`}
              onChange={() => setWhich(one)}
            />
            <span>{one === "tuned" ? "Tuned" : baselineNames[one]}</span>
          </label>
        ))}
      </fieldset>
      <ScrollBox label="Confusion matrix">
        <table class="confusion" data-testid="confusion">
          <caption>Rows: true label. Columns: predicted label.</caption>
          <thead>
            <tr>
              <th scope="col">
                <span class="sr-only">True label</span>
              </th>
              {labels.map((label) => (
                <th scope="col" key={label} class="number">
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {labels.map((label, row) => {
              const values = confusion[row] ?? [];
              const sum = values.reduce((a, b) => a + b, 0);
              return (
                <tr key={label}>
                  <th scope="row">{label}</th>
                  {labels.map((column, index) => {
                    const value = values[index] ?? 0;
                    const share = sum > 0 ? value / sum : 0;
                    return (
                      <td
                        key={column}
                        class={index === row ? "number right" : "number wrong"}
                        style={{ "--share": `${Math.round(share * 100)}%` }}
                      >
                        {value === 0 ? <span class="muted">0</span> : count(value)}
                      </td>
                    );
                  })}
                </tr>
              );
            })}
          </tbody>
        </table>
      </ScrollBox>
    </div>
  );
}
