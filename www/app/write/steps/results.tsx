/**
 * Enters: the end of a run. Leaves: the fourth step, the tuned model beside the untuned one and beside examples in the prompt.
 */
import type { Likelihood } from "webtune";
import { bytes, count, counted, figure, percent } from "../../ui/format";
import { ScrollBox } from "../../ui/scroll-box";
import { StepCard } from "../../ui/step-card";
import type { LanguageState } from "../state";

export function LanguageResultsStep({ state }: { state: LanguageState }) {
  const { finished, origin } = state.result;
  const waiting = finished
    ? undefined
    : origin === "imported"
      ? "An imported adapter brings no validation texts. Train to see results."
      : "They appear when a run ends.";
  const rows: [string, Likelihood][] = finished
    ? [
        ["Untuned", finished.base],
        ...(finished.fewShot
          ? ([[`${counted(finished.fewShot.examples, "example")} in the prompt`, finished.fewShot.likelihood]] as [
              string,
              Likelihood,
            ][])
          : []),
        ["Tuned", finished.tuned],
      ]
    : [];
  return (
    <StepCard
      id="results"
      number={4}
      title="Results"
      lead="Measured on validation texts that never trained, though they chose which step is kept. Perplexity is how many tokens the model wavers between: less is better."
      waiting={waiting}
    >
      {finished ? (
        <div class="stack" data-testid="results">
          <p
            class={finished.tuned.loss < finished.base.loss ? "note note-good" : "note note-warn"}
            data-testid="verdict"
          >
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
            {counted(finished.tuned.tokens, "token")} judged. {counted(finished.steps, "step")}, the state of step{" "}
            {count(finished.keptStep)} is kept. {count(finished.trainedParameters)} tuned parameters,{" "}
            {bytes(finished.exportBytes)} to take away.
          </p>
        </div>
      ) : null}
    </StepCard>
  );
}
