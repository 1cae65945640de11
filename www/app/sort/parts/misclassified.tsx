/** The rows that the tuned model gets wrong, the most confident mistakes first. */
import { useState } from "preact/hooks";
import type { EvaluatedRow, Evaluation } from "webtune";
import { counted, percent } from "../../ui/format";
import { ScrollBox } from "../../ui/scroll-box";
import { arePairs } from "../checks";
import { isSame, keyOf, wordsOf } from "../labels";

const PORTION = 20;

/** The tuned model's probability of what it predicted; where it may be several labels, of the one it was surest about, given or not. */
function confidence(row: EvaluatedRow): number {
  if (typeof row.predicted !== "string") {
    const furthest = row.logits.reduce((most, logit) => Math.max(most, Math.abs(logit)), 0);
    return 1 / (1 + Math.exp(-furthest));
  }
  const top = row.logits.reduce((a, b) => Math.max(a, b), -Infinity);
  return 1 / row.logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0);
}

export function Misclassified({ evaluation }: { evaluation: Evaluation }) {
  const [most, setMost] = useState(PORTION);
  const wrong = evaluation.rows
    .filter((row) => !isSame(row.predicted, row.label))
    .map((row) => ({ row, sure: confidence(row) }))
    .sort((a, b) => b.sure - a.sure);
  if (wrong.length === 0) {
    return (
      <p class="muted" data-testid="misclassified-none">
        No validation row is misclassified.
      </p>
    );
  }
  const pairs = arePairs(evaluation.rows);
  return (
    <>
      <ScrollBox label="Misclassified rows">
        <table class="misclassified" data-testid="misclassified">
          <caption>{counted(wrong.length, "misclassified row")}, the most confident mistakes first</caption>
          <thead>
            <tr>
              <th scope="col">Text</th>
              {pairs ? <th scope="col">Second text</th> : null}
              <th scope="col">Label</th>
              <th scope="col">Predicted</th>
              <th scope="col" class="number">
                Confidence
              </th>
              <th scope="col">Baseline said</th>
            </tr>
          </thead>
          <tbody>
            {wrong.slice(0, most).map(({ row, sure }) => (
              <tr key={`${row.text}\n${row.textPair}\n${keyOf(row.label)}`}>
                <td class="long">{row.text}</td>
                {pairs ? <td class="long">{row.textPair}</td> : null}
                <td>{wordsOf(row.label)}</td>
                <td>{wordsOf(row.predicted)}</td>
                <td class="number">{percent(sure, 0)}</td>
                <td>
                  {wordsOf(row.baselinePredicted)}{" "}
                  {isSame(row.baselinePredicted, row.label) ? <span class="tag">right</span> : null}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollBox>
      {most < wrong.length ? (
        <button type="button" onClick={() => setMost(most + PORTION)}>
          Show more
        </button>
      ) : null}
    </>
  );
}
