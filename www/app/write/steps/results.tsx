/** The fourth step: the tuned model next to the untuned one and to examples in the prompt. */
import type { Likelihood } from "webtune";
import { bytes, count, counted, figure, percent } from "../../ui/format";
import { ScrollBox } from "../../ui/scroll-box";
import { StepCard } from "../../ui/step-card";
import type { WriteState } from "../state";

export function WriteResultsStep({ state }: { state: WriteState }) {
  const { finished, origin } = state.result;
  const waiting = finished
    ? undefined
    : origin === "imported"
      ? "An imported adapter brings no validation texts. Train to see results."
      : "They appear when a run ends.";
  const fewShot = finished?.fewShot;
  // A run that was stopped early has not scored them all.
  const scores: [string, Likelihood | null | undefined][] = [
    ["Untuned", finished?.base],
    [`${counted(fewShot?.examples ?? 0, "example")} in the prompt`, fewShot?.likelihood],
    ["Tuned", finished?.tuned],
  ];
  const rows = scores.filter((row): row is [string, Likelihood] => Boolean(row[1]));
  const isBetter = (finished?.tuned?.loss ?? Infinity) < (finished?.base?.loss ?? 0);
  return (
    <StepCard
      id="results"
      number={4}
      title="Results"
      lead="Measured on validation texts that were not trained on, although the best step was chosen on them. Perplexity is roughly how many tokens the model is choosing between: lower is better."
      waiting={waiting}
    >
      {finished ? (
        <div class="stack" data-testid="results">
          <p class={isBetter ? "note note-good" : "note note-warn"} data-testid="verdict">
            {finished.verdict}
          </p>
          <ScrollBox label="Results">
            <table data-testid="likelihoods">
              <thead>
                <tr>
                  <th scope="col">Model</th>
                  <th scope="col" class="number">
                    Perplexity
                  </th>
                  <th scope="col" class="number extra">
                    Loss
                  </th>
                  <th scope="col" class="number">
                    Tokens right
                  </th>
                </tr>
              </thead>
              <tbody>
                {rows.map(([name, { perplexity, loss, tokenAccuracy }]) => (
                  <tr key={name} class={name === "Tuned" ? "strong" : ""}>
                    <th scope="row">{name}</th>
                    <td class="number">{figure(perplexity)}</td>
                    <td class="number extra">{figure(loss)}</td>
                    <td class="number">{percent(tokenAccuracy)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </ScrollBox>
          <p class="muted figures">
            {finished.tuned ? `Measured on ${counted(finished.tuned.tokens, "token")}. ` : ""}
            {counted(finished.steps, "step")}; the weights of step {count(finished.keptStep)} are kept.{" "}
            {count(finished.trainedParameters)} trained parameters, {bytes(finished.exportBytes)} to export.
          </p>
        </div>
      ) : null}
    </StepCard>
  );
}
