/** Runs that differ only in their seeds, and how much the result varies between them. */
import type { FinishReason, SeedRun, SeedSummary } from "webtune";
import { figure, nameIn, percent } from "../../ui/format";
import { ScrollBox } from "../../ui/scroll-box";

const ends: Record<FinishReason, string> = {
  completed: "completed",
  earlyStopping: "stopped early",
  stopped: "stopped by you",
  diverged: "diverged",
  unpromising: "stopped as unpromising",
  failed: "failed",
};

type Row = Pick<SeedRun, "headSeed" | "dataSeed" | "reason" | "steps" | "value" | "loss">;
type Summary = Pick<SeedSummary, "mean" | "deviation" | "best">;

export function SeedTable({ runs, summary }: { runs: Row[]; summary?: Summary | undefined }) {
  return (
    <ScrollBox label="Seeds">
      <table data-testid="seed-table">
        <caption>
          Seeds
          {summary
            ? `: ${percent(summary.mean)} on average, standard deviation ${percent(summary.deviation)}`
            : ", so far"}
        </caption>
        <thead>
          <tr>
            <th scope="col">Head seed, data seed</th>
            <th scope="col">End</th>
            <th scope="col" class="number">
              Steps
            </th>
            <th scope="col" class="number">
              Accuracy
            </th>
            <th scope="col" class="number">
              Loss
            </th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run, index) => (
            <tr key={`${run.headSeed}|${run.dataSeed}`}>
              <th scope="row">
                {run.headSeed}, {run.dataSeed} {index === summary?.best ? <span class="tag">kept</span> : null}
              </th>
              <td>{nameIn(ends, run.reason)}</td>
              <td class="number">{run.steps}</td>
              <td class="number">{run.value === null ? "" : percent(run.value)}</td>
              <td class="number">{run.loss === null ? "" : figure(run.loss)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}
