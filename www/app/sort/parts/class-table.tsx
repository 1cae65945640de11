/** Precision, recall and F1 of each label, next to the best baseline's F1. */
import type { Evaluation } from "webtune";
import { count, percent, points } from "../../ui/format";
import { ScrollBox } from "../../ui/scroll-box";
import { scoreOf } from "../score";
import { baselineNames } from "./baselines";

export function ClassTable({ evaluation }: { evaluation: Evaluation }) {
  const { baselines, bestBaseline } = evaluation;
  const { several } = scoreOf(evaluation.tuned);
  const before = new Map(baselines[bestBaseline].perClass.map((one) => [one.label, one]));
  return (
    <ScrollBox label="Per label">
      <table data-testid="class-table">
        <caption>Each label, tuned and compared with the {baselineNames[bestBaseline].toLowerCase()} baseline</caption>
        <thead>
          <tr>
            <th scope="col">Label</th>
            <th scope="col" class="number">
              Rows
            </th>
            <th scope="col" class="number">
              Precision
            </th>
            <th scope="col" class="number">
              Recall
            </th>
            <th scope="col" class="number">
              F1
            </th>
            {several ? (
              <th scope="col" class="number">
                Threshold
              </th>
            ) : null}
            <th scope="col" class="number">
              Baseline F1
            </th>
            <th scope="col" class="number">
              Difference
            </th>
          </tr>
        </thead>
        <tbody>
          {evaluation.tuned.perClass.map((one) => {
            const old = before.get(one.label)?.f1 ?? Number.NaN;
            const difference = one.f1 - old;
            return (
              <tr key={one.label}>
                <th scope="row">{one.label}</th>
                <td class="number">{count(one.support)}</td>
                <td class="number">{percent(one.precision)}</td>
                <td class="number">{percent(one.recall)}</td>
                <td class="number">{percent(one.f1)}</td>
                {several ? <td class="number">{one.threshold === null ? "" : percent(one.threshold)}</td> : null}
                <td class="number">{percent(old)}</td>
                <td class={`number ${difference > 0 ? "up" : difference < 0 ? "down" : "same"}`}>
                  {points(difference)}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {several ? (
        <p class="help">A text is given each label whose probability is over that label's threshold.</p>
      ) : null}
    </ScrollBox>
  );
}
