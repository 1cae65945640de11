/** Whether a run fits into memory, what needs how much, and what to change if it does not fit. */

import type { WeightStorage } from "webtune";
import { storageNames } from "../../desk/weight-storages";
import { Alert } from "../../ui/alert";
import { bytes } from "../../ui/format";
import { ScrollBox } from "../../ui/scroll-box";
import type { Budget, BudgetState } from "../state";

interface Props {
  budget: BudgetState;
  storage: WeightStorage;
  /** The source is complete. */
  canAsk: boolean;
  onAsk: () => void;
}

export function BudgetCard({ budget, storage, canAsk, onAsk }: Props) {
  const { config, found, reading, error } = budget;
  return (
    <div class="stack" data-testid="budget" aria-busy={reading}>
      {config === undefined ? (
        <div class="row">
          <button type="button" data-testid="budget-ask" disabled={!canAsk || reading} onClick={onAsk}>
            {reading ? "Reading its settings…" : "How much memory will it need?"}
          </button>
          <span class="help">Downloads only the model's config.json, or the head of a GGUF file.</span>
        </div>
      ) : null}
      <Alert message={error} testId="budget-error" />
      {found && config ? <Found budget={found} name={config.name} storage={storage} /> : null}
    </div>
  );
}

const partNames = {
  weights: "frozen weights",
  adapter: "adapter",
  moments: "optimiser",
  activations: "activations",
  logits: "logits",
} as const;

interface FoundProps {
  budget: Budget;
  /** Of the model. */
  name: string;
  storage: WeightStorage;
}

function Found({ budget, name, storage: chosen }: FoundProps) {
  const { total, limit, tooLarge, parts, table, remedies, checkpointing } = budget;
  const fits = total <= limit && !tooLarge;
  const keys = Object.keys(partNames) as (keyof typeof partNames)[];
  return (
    <>
      <p class={fits ? "note note-good" : "note note-warn"} data-testid="budget-verdict" role="status">
        A run with {name} takes up to <strong>{bytes(total)}</strong> of the {bytes(limit)} available to this tab (
        {storageNames[chosen]} weights, {budget.settings} per pass
        {checkpointing ? ", gradient checkpointing" : ""}). {fits ? "It fits." : "It does not fit."}
        {tooLarge
          ? ` One tensor of it takes ${bytes(tooLarge.bytes)}, and this graphics card holds ${bytes(tooLarge.limit)} in one buffer: ${tooLarge.advice}.`
          : null}
      </p>
      {remedies.length > 0 ? (
        <div data-testid="budget-remedies">
          <p>What would help:</p>
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
          Memory by part{" "}
          <span class="muted">{keys.map((key) => `${partNames[key]} ${bytes(parts[key])}`).join(", ")}</span>
        </summary>
        <ScrollBox label="Memory by storage">
          <table data-testid="budget-table">
            <caption>Peak memory of a run by the storage of its frozen weights</caption>
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
                    {storageNames[storage]} {storage === chosen ? <span class="tag tag-plain">chosen</span> : null}
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
