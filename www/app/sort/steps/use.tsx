/** The fifth step: the tuned classifier labels a text, and is exported. */
import { useEffect, useRef, useState } from "preact/hooks";
import { zipName } from "../../desk/file-names";
import { isBusy } from "../../desk/state";
import { UseStep } from "../../desk/steps/use";
import { Alert } from "../../ui/alert";
import { messageOf } from "../../ui/format";
import { ProbabilityBars } from "../../ui/probability-bars";
import type { PredictActions, Tried } from "../actions/predict";
import type { SortDesk } from "../desk";
import type { SortState } from "../state";

/** A pause in typing, in milliseconds. */
const PAUSE = 300;

const loaders: Record<string, string> = {
  full: "Hugging Face Transformers loads it.",
  houlsby: "The adapters library (AdapterHub) loads it.",
  probe: "It holds the head's weights and the labels.",
};

export function SortUseStep({ state, desk }: { state: SortState; desk: SortDesk }) {
  const { model, run, result } = state;
  const busy = isBusy(run);
  const loaded = model.info !== undefined;
  const method = result.finished?.options.method.type ?? "lora";
  return (
    <UseStep
      lead="Try a text of your own, then export the result."
      waiting="Load a model first; then train, or import an adapter that you exported."
      state={state}
      actions={desk.files}
      formats={[
        {
          testId: "export",
          label: `Export ${zipName(result.model, method)}`,
          help: loaders[method] ?? "Hugging Face PEFT loads it.",
          isReady: result.files !== undefined,
          run: () => desk.files.adapter(),
        },
      ]}
      invitation="Drop an exported zip or its folder here, or"
    >
      {result.origin !== undefined && loaded && !busy ? (
        <Try version={result.version} actions={desk.predict} />
      ) : (
        <p class="muted" data-testid="try-waiting">
          {busy
            ? "You can try the result when this run has ended."
            : loaded
              ? "Train first, or import an adapter below."
              : "The model is not loaded any more, so nothing can be tried. What was tuned can still be exported."}
        </p>
      )}
    </UseStep>
  );
}

function Try({ version, actions }: { version: number; actions: PredictActions }) {
  const [text, setText] = useState("");
  const [tried, setTried] = useState<Tried>();
  const [error, setError] = useState<string>();
  const [waiting, setWaiting] = useState(false);
  const turn = useRef(0);

  // Another version is another adapter.
  useEffect(() => {
    const mine = ++turn.current;
    setError(undefined);
    if (text.trim() === "") {
      setTried(undefined);
      setWaiting(false);
      return;
    }
    setWaiting(true);
    const timer = setTimeout(async () => {
      try {
        const made = await actions.predict(text);
        if (mine === turn.current) setTried(made);
      } catch (failure) {
        if (mine === turn.current) setError(messageOf(failure));
      } finally {
        if (mine === turn.current) setWaiting(false);
      }
    }, PAUSE);
    return () => clearTimeout(timer);
  }, [text, version, actions]);

  return (
    <div class="stack">
      <div class="field">
        <label for="try-text">A text to try</label>
        <textarea
          id="try-text"
          data-testid="try-text"
          rows={3}
          placeholder="The replacement arrived but it has the same fault."
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </div>
      <Alert message={error} testId="try-error" />
      <div class={waiting ? "two-columns stale" : "two-columns"} aria-live="polite" aria-busy={waiting}>
        {tried?.baseline ? (
          <ProbabilityBars testId="try-baseline" title="Before tuning:" prediction={tried.baseline} />
        ) : tried?.baselineMissing ? (
          <p class="muted" data-testid="try-baseline-missing">
            {tried.baselineMissing}
          </p>
        ) : null}
        {tried ? <ProbabilityBars testId="try-tuned" title="After tuning:" prediction={tried.tuned} /> : null}
      </div>
    </div>
  );
}
