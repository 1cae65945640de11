/** The evaluations of a run as a table. */
import { counted, percent } from "../../ui/format";
import { ScrollBox } from "../../ui/scroll-box";
import type { Evaluated } from "../state";

interface StageNames {
  title: (epoch: number) => string;
  during: (epoch: number) => string;
}

export const evaluationNames: Record<Evaluated["stage"], StageNames> = {
  probe: { title: () => "Before tuning", during: () => "before tuning" },
  contrastive: { title: () => "Contrastive stage", during: () => "after the contrastive stage" },
  classify: { title: (epoch) => `Epoch ${epoch}`, during: (epoch) => `in epoch ${epoch}` },
};

interface Props {
  /** Of the score. */
  title: string;
  evaluations: Evaluated[];
  /** How many there were. */
  evaluated: number;
}

export function EvaluationTable({ title, evaluations, evaluated }: Props) {
  const left = evaluated - evaluations.length;
  return (
    <ScrollBox label="Evaluations">
      <table data-testid="epoch-table">
        {left > 0 ? <caption>{counted(left, "evaluation")} in between left out</caption> : null}
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col" class="number">
              Step
            </th>
            <th scope="col" class="number">
              {title}
            </th>
            <th scope="col" class="number">
              Macro F1
            </th>
          </tr>
        </thead>
        <tbody>
          {evaluations.map((one) => (
            <tr key={`${one.stage}|${one.step}`}>
              <th scope="row">
                {evaluationNames[one.stage].title(one.epoch)} {one.best ? <span class="tag">best</span> : null}
              </th>
              <td class="number">{one.step}</td>
              <td class="number">{percent(one.value)}</td>
              <td class="number">{percent(one.macroF1)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}
