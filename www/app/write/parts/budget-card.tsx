/**
 * Enters: what a run would take. Leaves: whether it fits, what takes how much, and what to change where it does not.
 */

import { storageNames } from "../../desk/weight-storages";
import { Alert } from "../../ui/alert";
import { bytes } from "../../ui/format";
import { ScrollBox } from "../../ui/scroll-box";
import type { Budget, LanguageModelState } from "../state";

interface Props {
  model: LanguageModelState;
  /** The source is complete. */
  canAsk: boolean;
  onAsk: () => void;
}

export function BudgetCard({ model, canAsk, onAsk }: Props) {
  const { budget, config, reading } = model;
  return (
    <div class="stack" data-testid="budget" aria-busy={reading}>
      {config === undefined ? (
        <div class="row">
          <button type="button" data-testid="budget-ask" disabled={!canAsk || reading} onClick={onAsk}>
            {reading ? "Reading config.json…" : "How much memory will it take?"}
          </button>
          <span class="help">Reads the model's config.json alone.</span>
        </div>
      ) : null}
      <Alert message={model.budgetError} testId="budget-error" />
      {budget ? <Found budget={budget} model={model} /> : null}
    </div>
  );
}

const partNames = {
  weights: "frozen weights",
  adapter: "adapter",
  moments: "Adam's means",
  activations: "activations",
  logits: "logits",
} as const;

function Found({ budget, model }: { budget: Budget; model: LanguageModelState }) {
  const { total, limit, parts, table, remedies, checkpointing } = budget;
  const fits = total <= limit;
  const keys = Object.keys(partNames) as (keyof typeof partNames)[];
  return (
    <>
      <p class={fits ? "note note-good" : "note note-warn"} data-testid="budget-verdict" role="status">
        A run with {model.config?.name} takes up to <strong>{bytes(total)}</strong> of the {bytes(limit)} that this tab
        may plan for ({storageNames[model.storage]} weights, {budget.settings} a pass
        {checkpointing ? ", gradient checkpointing" : ""}). {fits ? "It fits." : "It does not fit."}
      </p>
      {remedies.length > 0 ? (
        <div data-testid="budget-remedies">
          <p>What would change that:</p>
          <ul class="remedies">
            {remedies.map(({ what, bytes: taken }) => (
              <li key={what}>
                {what}: {bytes(taken)}{" "}
                {taken <= limit ? <span class="tag">fits</span> : <span class="tag tag-warn">still too much</span>}
              </li>
            ))}
          </ul>
        </div>
      ) : null}
      <details class="drawer">
        <summary>
          What takes how much{" "}
          <span class="muted">{keys.map((key) => `${partNames[key]} ${bytes(parts[key])}`).join(", ")}</span>
        </summary>
        <ScrollBox label="Memory by storage">
          <table data-testid="budget-table">
            <caption>A run's peak by how the frozen weights are kept</caption>
            <thead>
              <tr>
                <th scope="col">Weights</th>
                <th scope="col" class="number">
                  Plain
                </th>
                <th scope="col" class="number">
                  With gradient checkpointing
                </th>
              </tr>
            </thead>
            <tbody>
              {table.map(({ storage, plain, checkpointed }) => (
                <tr key={storage}>
                  <th scope="row">
                    {storageNames[storage]}{" "}
                    {storage === model.storage ? <span class="tag tag-plain">chosen</span> : null}
                  </th>
                  <Cell taken={plain} limit={limit} />
                  <Cell taken={checkpointed} limit={limit} />
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollBox>
      </details>
    </>
  );
}

function Cell({ taken, limit }: { taken: number; limit: number }) {
  return (
    <td class={taken <= limit ? "number" : "number down"}>
      {bytes(taken)}
      {taken <= limit ? "" : " (too much)"}
    </td>
  );
}
