/**
 * Enters: a tuned or imported adapter. Leaves: the fifth step, where it is tried, exported and brought back.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { ImportAdapter } from "../../desk/parts/import-adapter";
import { Alert } from "../../ui/alert";
import { useConfirm } from "../../ui/confirm";
import { FileList } from "../../ui/file-list";
import type { Folder } from "../../ui/files";
import { messageOf } from "../../ui/format";
import { ProbabilityBars } from "../../ui/probability-bars";
import { StepCard } from "../../ui/step-card";
import type { Tried, UseActions } from "../actions/try-and-export";
import { isBusy, type ResultState, type State, type Store, wouldLose } from "../state";

/** A pause in typing, in milliseconds. */
const PAUSE = 300;

interface Props {
  state: State;
  store: Store;
  actions: UseActions;
}

export function UseStep({ state, store, actions }: Props) {
  const { model, run, result } = state;
  const busy = isBusy(run);
  const { askIf, dialog } = useConfirm();
  // A crash takes the model away; files that were taken before can still be exported.
  const loaded = model.info !== undefined;
  const ready = result.origin !== undefined && loaded && !busy;
  const kept = result.origin !== undefined && (loaded || result.files !== undefined);
  const waiting =
    loaded || kept ? undefined : "Load a model first; then train, or bring back an adapter that you exported.";

  const cannotImport = busy || result.busy || !loaded;

  const bringBack = (folder: Folder) => {
    const act = () => void actions.import(folder);
    askIf(wouldLose(state), {
      title: "Import an adapter?",
      text: "The tuned adapter has not been exported. Importing drops it.",
      yes: "Drop it and import",
      act,
    });
  };

  return (
    <StepCard
      id="use"
      number={5}
      title="Use it"
      lead={`Try a text of your own, then take the result with you. ${loader(result)}`}
      waiting={waiting}
    >
      {dialog}
      {ready ? (
        <Try version={result.version} actions={actions} />
      ) : (
        <p class="muted" data-testid="try-waiting">
          {busy
            ? "You can try the result when this run has ended."
            : loaded
              ? "Train first, or import an adapter below."
              : "The engine is gone, so nothing can be tried. What was tuned can still be exported."}
        </p>
      )}
      {kept ? (
        <div class="stack">
          <h3>Export</h3>
          <div class="row">
            <button
              type="button"
              class={result.exported ? "" : "primary"}
              data-testid="export"
              disabled={result.busy || busy}
              onClick={() => void actions.export()}
            >
              Export {result.zip}
            </button>
            {result.origin === "trained" && result.exported ? <span class="tag">exported</span> : null}
          </div>
          <Alert message={result.exportError} testId="export-error" />
          {result.files ? <FileList title="What is in it" files={result.files} /> : null}
        </div>
      ) : null}
      <ImportAdapter
        invitation="Drop an exported zip or its folder here, or"
        disabled={cannotImport}
        note={result.importNote}
        error={result.importError}
        onFolder={bringBack}
        onError={(importError) => store.patch("result", { importError })}
      />
    </StepCard>
  );
}

/** Which library takes the exported files. */
function loader({ finished }: ResultState): string {
  switch (finished?.options.method.type) {
    case "full":
      return "Hugging Face Transformers loads it.";
    case "houlsby":
      return "The adapters library (AdapterHub) loads it.";
    case "probe":
      return "It holds the head's weights and the labels.";
    default:
      return "Hugging Face PEFT loads it.";
  }
}

function Try({ version, actions }: { version: number; actions: UseActions }) {
  const [text, setText] = useState("");
  const [tried, setTried] = useState<Tried>();
  const [error, setError] = useState<string>();
  const [waiting, setWaiting] = useState(false);
  const turn = useRef(0);

  // Another version is another adapter behind the same actions.
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
