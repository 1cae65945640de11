/** The third step: a language model's run, its curves and samples. */
import { useMemo } from "preact/hooks";
import { RunFacts } from "../../desk/parts/run-facts";
import { type BaselineLine, RunPlots } from "../../desk/parts/run-plots";
import { type RunWords, TrainStep } from "../../desk/steps/train";
import { count, counted, figure } from "../../ui/format";
import type { WriteDesk } from "../desk";
import { byDefault, writeGroups } from "../options";
import { Samples } from "../parts/samples";
import type { WriteState } from "../state";

const words: RunWords = {
  drawer: byDefault,
  addRows: "add texts",
  preparing: "Evaluating the untuned model, batch",
  measured: "The untuned model is evaluated",
};

export function WriteTrainStep({ state, desk }: { state: WriteState; desk: WriteDesk }) {
  const { rows, run, result, trying } = state;
  const { started, findings, curves } = run;
  const speed = findings.tokensPerSecond;
  return (
    <TrainStep
      groups={writeGroups}
      words={words}
      state={state}
      actions={desk.run}
      rows={rows.items}
      ready={counted(rows.items.length, "text is ready", "texts are ready")}
      busy={result.busy || trying.busy}
      place={`Epoch ${curves.epoch}`}
      speed={speed === undefined ? "" : `, ${count(speed)} tokens a second`}
      isMeasured={findings.base !== undefined}
    >
      {started ? (
        <RunFacts
          started={started}
          noun="text"
          train={started.trainTexts}
          validation={started.validationTexts}
          rows={` ${count(started.trainTokens)} tokens, ${count(started.trainTargets)} of them learned.`}
          memory={started.gradientCheckpointing ? ", with gradient checkpointing" : ""}
        />
      ) : null}
      <Curves state={state} />
      <Samples evaluations={curves.evaluations} />
    </TrainStep>
  );
}

function Curves({ state: { run } }: { state: WriteState }) {
  const { curves, findings } = run;
  const { evaluations } = curves;
  const { base, fewShot } = findings;
  const points = useMemo(() => evaluations.map((one) => ({ ...one, value: one.likelihood.perplexity })), [evaluations]);
  const baselines = useMemo(() => {
    const lines: BaselineLine[] = [];
    if (base) lines.push({ name: "Untuned", color: "--series-4", value: base.perplexity });
    if (fewShot) {
      lines.push({ name: "Examples in the prompt", color: "--series-2", value: fewShot.likelihood.perplexity });
    }
    return lines;
  }, [base, fewShot]);
  const bestStep = evaluations.find((one) => one.best)?.step ?? 0;
  return (
    <RunPlots
      curves={curves}
      totalSteps={findings.recipe?.totalSteps ?? 0}
      validation={{
        testId: "plot-perplexity",
        title: "Validation perplexity",
        points,
        baselines,
        format: figure,
        when: bestStep === 0 ? "before tuning" : `at step ${bestStep}`,
      }}
    />
  );
}
