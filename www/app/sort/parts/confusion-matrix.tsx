/** True labels against predicted ones, shaded, of the tuned model or a baseline. */
import { useId, useMemo, useState } from "preact/hooks";
import type { Baselines, Evaluation } from "webtune";
import { count } from "../../ui/format";
import { ScrollBox } from "../../ui/scroll-box";
import { baselineKeys, baselineNames } from "./baselines";
import "./confusion-matrix.css";
import "../../ui/segments.css";

/** Labels drawn at once: the cells are as many as their square. */
const MOST = 40;

/** Places of the labels to draw, in their order: of too many those that are taken for others, or others for them, most often. */
function placesOf(confusion: readonly number[][], labels: number): number[] {
  const places = Array.from({ length: labels }, (_, index) => index);
  if (labels <= MOST) return places;
  const mistakes = new Float64Array(labels);
  for (const [row, values] of confusion.entries()) {
    for (const [column, value] of values.entries()) {
      if (row === column) continue;
      mistakes[row] = (mistakes[row] ?? 0) + value;
      mistakes[column] = (mistakes[column] ?? 0) + value;
    }
  }
  const worst = places.sort((a, b) => (mistakes[b] ?? 0) - (mistakes[a] ?? 0) || a - b).slice(0, MOST);
  return worst.sort((a, b) => a - b);
}

export function ConfusionMatrix({ evaluation }: { evaluation: Evaluation }) {
  const name = useId();
  const [which, setWhich] = useState<"tuned" | keyof Baselines>("tuned");
  const { labels, tuned, baselines } = evaluation;
  const { confusion } = which === "tuned" ? tuned : baselines[which];
  const places = useMemo(() => placesOf(confusion, labels.length), [confusion, labels]);
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
      {places.length < labels.length ? (
        <p class="help" data-testid="confusion-left-out">
          {count(places.length)} of {count(labels.length)} labels are drawn: those with the most mistakes.
        </p>
      ) : null}
      <ScrollBox label="Confusion matrix">
        <table class="confusion" data-testid="confusion">
          <caption>Rows: true label. Columns: predicted label.</caption>
          <thead>
            <tr>
              <th scope="col">
                <span class="sr-only">True label</span>
              </th>
              {places.map((place) => (
                <th scope="col" key={place} class="number">
                  {labels[place]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {places.map((row) => {
              const values = confusion[row] ?? [];
              const sum = values.reduce((a, b) => a + b, 0);
              return (
                <tr key={row}>
                  <th scope="row">{labels[row]}</th>
                  {places.map((index) => {
                    const value = values[index] ?? 0;
                    const share = sum > 0 ? value / sum : 0;
                    return (
                      <td
                        key={index}
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
