/** What a run reports before its first step: warnings, and how much trains. */
import { bytes, count, counted, percent } from "../../ui/format";
import type { TaskTypes } from "../task";

interface Props {
  started: TaskTypes["started"];
  /** What a row is called. */
  noun: string;
  train: number;
  validation: number;
  /** After the counts of rows. */
  rows?: string;
  /** After the memory. */
  memory?: string;
}

export function RunFacts({ started, noun, train, validation, rows = "", memory = "" }: Props) {
  const { warnings, trainedParameters, totalParameters, memoryEstimate } = started;
  return (
    <>
      {warnings.length > 0 ? (
        <ul class="note note-warn" data-testid="train-warnings">
          {warnings.map((warning) => (
            <li key={warning}>{warning}</li>
          ))}
        </ul>
      ) : null}
      <p class="muted figures" data-testid="train-facts">
        {counted(train, noun)} for training, {counted(validation, noun)} for validation.{rows}{" "}
        {count(trainedParameters)} of {count(totalParameters)} parameters (
        {percent(trainedParameters / totalParameters, 2)}) are trained. Memory: about {bytes(memoryEstimate)}
        {memory}.
      </p>
    </>
  );
}
