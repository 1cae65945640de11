/** The scores of the baselines, and of the tuned model if there is one. */
import type { Baselines, Comparison, Report } from "webtune";
import { figure, percent } from "../../ui/format";
import { ScrollBox } from "../../ui/scroll-box";
import { scoreOf } from "../score";
import { Difference } from "./difference";
import { axisFrom, IntervalBar } from "./interval-bar";

export const baselineKeys: readonly (keyof Baselines)[] = ["zeroShot", "centroid", "probe"];

export const baselineNames: Record<keyof Baselines, string> = {
  zeroShot: "Zero-shot",
  centroid: "Nearest centroid",
  probe: "Linear probe",
};

const how: Record<keyof Baselines, string> = {
  zeroShot: "similarity to the labels' words; nothing is learned",
  centroid: "similarity to the mean of each label's texts",
  probe: "a linear head on the untuned model",
};

interface Props {
  baselines: Baselines;
  best?: keyof Baselines;
  tuned?: { name: string; report: Report; comparison: Comparison };
}

export function BaselineTable({ baselines, best, tuned }: Props) {
  const from = axisFrom([...Object.values(baselines), ...(tuned ? [tuned.report] : [])]);
  const { several } = scoreOf(baselines.probe);
  return (
    <ScrollBox label="Baselines">
      <table class="roomy" data-testid="baselines">
        <caption>
          {tuned ? "Next to what needs no fine-tuning" : "Before tuning, on the validation rows"}; whiskers are 95%
          intervals from {percent(from, 0)} to 100%
        </caption>
        <thead>
          <tr>
            <th scope="col">Method</th>
            {several ? (
              <th scope="col" class="number">
                Micro F1
              </th>
            ) : null}
            <th scope="col">{several ? "All labels right" : "Accuracy"}</th>
            <th scope="col" class="number">
              Macro F1
            </th>
            <th scope="col" class="number extra">
              Loss
            </th>
          </tr>
        </thead>
        <tbody>
          {tuned ? (
            <tr class="strong">
              <th scope="row">
                {tuned.name}
                {best ? (
                  <span class="sub" data-testid="tuned-against-best">
                    <Difference comparison={tuned.comparison} against={baselineNames[best].toLowerCase()} />
                  </span>
                ) : null}
              </th>
              <Figures report={tuned.report} from={from} strong />
            </tr>
          ) : null}
          {baselineKeys.map((key) => (
            <tr key={key} data-testid={`baseline-${key}`}>
              <th scope="row">
                {baselineNames[key]} {key === best ? <span class="tag tag-plain">best baseline</span> : null}
                <span class="sub extra">{how[key]}</span>
              </th>
              <Figures report={baselines[key]} from={from} />
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}

function Figures({ report, from, strong = false }: { report: Report; from: number; strong?: boolean }) {
  const [low, high] = report.interval;
  const { several, value } = scoreOf(report);
  return (
    <>
      {several ? <td class="number">{percent(value)}</td> : null}
      <td class="figures">
        {percent(report.accuracy)}{" "}
        <span class="muted small nowrap">
          {percent(low, 0)} to {percent(high, 0)}
        </span>
        <IntervalBar report={report} from={from} strong={strong} />
      </td>
      <td class="number">{percent(report.macroF1)}</td>
      <td class="number extra">{figure(report.loss)}</td>
    </>
  );
}
