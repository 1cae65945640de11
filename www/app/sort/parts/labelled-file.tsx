/** Scores the tuned classifier on a file of labelled texts that it has not learnt from. */
import { useState } from "preact/hooks";
import { Alert } from "../../ui/alert";
import { FileButton } from "../../ui/file-button";
import type { FolderFile } from "../../ui/files";
import { counted, messageOf, percent } from "../../ui/format";
import type { Measured, PredictActions } from "../actions/predict";
import { scoreOf } from "../score";
import { BaselineTable } from "./baselines";

interface Props {
  disabled: boolean;
  actions: PredictActions;
}

export function LabelledFile({ disabled, actions }: Props) {
  const [measured, setMeasured] = useState<Measured>();
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const measure = async (file: FolderFile) => {
    setBusy(true);
    setError(undefined);
    try {
      setMeasured(await actions.measure(file.path, file.blob));
    } catch (failure) {
      setMeasured(undefined);
      setError(messageOf(failure));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div class="stack" aria-busy={busy}>
      <div class="row">
        <FileButton
          label="Score a file of labelled texts"
          testId="score-file"
          disabled={disabled || busy}
          onFolder={({ files: [file] }) => void (file && measure(file))}
        />
        <span class="help">Texts that were not trained on, in any form that step 2 reads.</span>
      </div>
      <Alert message={error} testId="score-error" />
      <div class={busy ? "stack stale" : "stack"} aria-live="polite">
        {measured ? <Figures measured={measured} /> : null}
      </div>
    </div>
  );
}

export function Figures({ measured: { name, tuned, evaluation, baselinesMissing } }: { measured: Measured }) {
  const [low, high] = tuned.interval;
  const { several, value } = scoreOf(tuned);
  return (
    <>
      <p data-testid="score">
        {name}: {percent(tuned.accuracy)} of {counted(tuned.count, "text")}{" "}
        {several ? "have all labels right" : "are labelled rightly"} (95% interval {percent(low)} to {percent(high)});{" "}
        {several ? `micro F1 ${percent(value)}, ` : ""}macro F1 {percent(tuned.macroF1)}.
      </p>
      {evaluation ? (
        <BaselineTable
          baselines={evaluation.baselines}
          best={evaluation.bestBaseline}
          tuned={{ name: "Tuned", report: tuned, comparison: evaluation.comparison }}
        />
      ) : (
        <p class="muted" data-testid="score-baselines-missing">
          {baselinesMissing}
        </p>
      )}
    </>
  );
}
