/** What a recipe chose for a run, and why. */

import { methodNames } from "../../desk/options";
import { counted, figure } from "../../ui/format";
import type { EventOf } from "../state";
import { SettingList } from "./setting-list";
import "./recipe-card.css";

const names = { fast: "Fast", balanced: "Balanced", best: "Best" };

export function RecipeCard({ recipe: event }: { recipe: EventOf<"recipe"> }) {
  const { reasons, options, totalSteps, epochs } = event;
  const { method, learningRate, headLearningRate } = options;
  return (
    <section class="recipe" aria-labelledby="recipe-title" data-testid="recipe">
      <h3 id="recipe-title">
        Recipe "{names[options.recipe as keyof typeof names]}": {methodNames[method.type]}, {counted(epochs, "epoch")},{" "}
        {counted(totalSteps, "step")}, rate {figure(learningRate)}
        {typeof headLearningRate === "number" ? ` (head ${figure(headLearningRate)})` : ""}
      </h3>
      {reasons.length > 0 ? (
        <ul data-testid="recipe-reasons">
          {reasons.map((reason) => (
            <li key={reason}>{reason}</li>
          ))}
        </ul>
      ) : null}
      <details class="drawer">
        <summary>All settings of this run</summary>
        <SettingList options={options} />
      </details>
    </section>
  );
}
