/**
 * Enters: a run's numbers. Leaves: loss, learning rate and validation accuracy as plots, and the epochs as a table.
 */
import { useMemo } from "preact/hooks";
import { figure, percent } from "../format";
import type { RunState } from "../state";
import { Plot } from "./plot";

export function Plots({ run }: { run: RunState }) {
  const last = run.started?.totalSteps ?? run.step;
  const steps = useMemo(() => run.losses.map((_, index) => index + 1), [run.losses]);
  const loss = useMemo(() => [{ name: "Loss", color: "--series-1", values: run.losses }], [run.losses]);
  const rate = useMemo(
    () => [
      { name: "Adapter", color: "--series-1", values: run.rates },
      { name: "Head", color: "--series-2", values: run.headRates },
    ],
    [run.rates, run.headRates],
  );
  const judged = useMemo(() => run.accuracies.map(({ step }) => step), [run.accuracies]);
  const accuracy = useMemo(
    () => [{ name: "Accuracy", color: "--series-3", values: run.accuracies.map((one) => one.accuracy), dots: true }],
    [run.accuracies],
  );
  const finite = run.losses.filter(Number.isFinite);
  const lossWords =
    finite.length === 0
      ? "No step yet."
      : `Now ${figure(run.losses.at(-1) ?? Number.NaN)}, at first ${figure(run.losses[0] ?? Number.NaN)}, lowest ${figure(Math.min(...finite))}.`;
  const rateWords =
    run.rates.length === 0
      ? "No step yet."
      : `Now ${figure(run.rates.at(-1) ?? 0)} for the adapter, ${figure(run.headRates.at(-1) ?? 0)} for the head.`;
  const best = run.accuracies.find((one) => one.best);
  const accuracyWords = best
    ? `Now ${percent(run.accuracies.at(-1)?.accuracy ?? 0)}, best ${percent(best.accuracy)} ${best.epoch === 0 ? "before tuning" : `in epoch ${best.epoch}`}.`
    : "Not judged yet.";

  return (
    <>
      <div class="plots">
        <Plot
          testId="plot-loss"
          title="Training loss"
          summary={lossWords}
          steps={steps}
          series={loss}
          format={figure}
          lastStep={last}
        />
        <Plot
          testId="plot-accuracy"
          title="Validation accuracy"
          summary={accuracyWords}
          steps={judged}
          series={accuracy}
          format={(value) => percent(value, 0)}
          lastStep={last}
          range={[0, 1]}
        />
        <Plot
          testId="plot-rate"
          title="Learning rate"
          summary={rateWords}
          steps={steps}
          series={rate}
          format={figure}
          lastStep={last}
        />
      </div>
      {run.accuracies.length > 0 ? (
        <details class="drawer">
          <summary>Epochs as a table</summary>
          <div class="scroll">
            <table data-testid="epoch-table">
              <thead>
                <tr>
                  <th scope="col">Epoch</th>
                  <th scope="col" class="number">
                    Step
                  </th>
                  <th scope="col" class="number">
                    Accuracy
                  </th>
                  <th scope="col" class="number">
                    Macro F1
                  </th>
                </tr>
              </thead>
              <tbody>
                {run.accuracies.map((one) => (
                  <tr key={one.epoch}>
                    <th scope="row">
                      {one.epoch === 0 ? "Before tuning" : one.epoch} {one.best ? <span class="tag">best</span> : null}
                    </th>
                    <td class="number">{one.step}</td>
                    <td class="number">{percent(one.accuracy)}</td>
                    <td class="number">{percent(one.macroF1)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </details>
      ) : null}
    </>
  );
}
