/** What the model wrote to each sample prompt, before tuning and since. */
import type { Evaluated } from "../state";
import "./turns.css";
import "./samples.css";

/** Evaluations shown at once, besides the first. */
const LATEST = 2;

export function Samples({ evaluations }: { evaluations: Evaluated[] }) {
  const [first, ...later] = evaluations;
  if (!first || first.completions.length === 0) return null;
  const shown = [first, ...later.slice(-LATEST)];
  const folded = later.slice(0, -LATEST);
  return (
    <div class="stack" data-testid="samples">
      <h3>Samples</h3>
      {first.completions.map(({ prompt }, index) => (
        <section key={index} class="sample" aria-label={`Answers to: ${prompt}`}>
          <p class="sample-prompt">{prompt}</p>
          <Answers evaluations={shown} index={index} />
          {folded.length > 0 ? (
            <details class="drawer">
              <summary>In between</summary>
              <Answers evaluations={folded} index={index} />
            </details>
          ) : null}
        </section>
      ))}
    </div>
  );
}

function Answers({ evaluations, index }: { evaluations: Evaluated[]; index: number }) {
  return (
    <dl class="turns">
      {evaluations.map(({ step, best, completions }) => (
        <div key={step}>
          <dt>
            {step === 0 ? "before tuning" : `step ${step}`} {best && step > 0 ? <span class="tag">best</span> : null}
          </dt>
          <dd>{completions[index]?.text || <span class="muted">(nothing)</span>}</dd>
        </div>
      ))}
    </dl>
  );
}
