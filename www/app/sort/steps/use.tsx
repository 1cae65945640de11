/** The fifth step: the tuned classifier labels a text, and is exported. */
import { useEffect, useRef, useState } from "preact/hooks";
import { zipName } from "../../desk/file-names";
import { isBusy } from "../../desk/state";
import { type ExportFormat, UseStep } from "../../desk/steps/use";
import { Alert } from "../../ui/alert";
import { messageOf } from "../../ui/format";
import { ProbabilityBars } from "../../ui/probability-bars";
import type { PredictActions, Tried } from "../actions/predict";
import { arePairs } from "../checks";
import type { SortDesk } from "../desk";
import { FileClassifier, type Kind } from "../parts/file-classifier";
import { LabelNames } from "../parts/label-names";
import { LabelledFile } from "../parts/labelled-file";
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
  return (
    <UseStep
      lead="Try a text of your own, classify a file of them, then export the result."
      waiting="Load a model first; then train, or import an adapter that you exported."
      state={state}
      actions={desk.files}
      formats={formatsOf(state, desk)}
      missing={missingOf(state)}
      invitation="Drop an exported zip or its folder here, or"
      question={
        result.unnamedLabels && loaded ? (
          <LabelNames
            key={result.version}
            labels={result.unnamedLabels}
            disabled={busy || result.busy}
            onName={(typed) => void desk.files.nameLabels(typed)}
          />
        ) : null
      }
    >
      {result.origin !== undefined && loaded && !busy ? (
        <>
          <Try version={result.version} kind={kindOf(state)} actions={desk.predict} />
          <LabelledFile key={result.version} disabled={result.busy} actions={desk.predict} />
          <FileClassifier file={state.file} kind={kindOf(state)} disabled={result.busy} actions={desk.file} />
        </>
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

/** What changes no weight, and so leaves beside them. */
const BESIDE_WEIGHTS = ["prefix", "houlsby"];
/** The models that an ONNX graph is written of. */
const ENCODERS = ["bert", "roberta", "distilbert", "modernbert"];

/** Why there is no ONNX graph; undefined if there is one, as far as is known before the engine is asked. */
function missingOf({ model: { info }, result }: SortState): string | undefined {
  const method = result.finished?.options.method.type;
  if (method !== undefined && BESIDE_WEIGHTS.includes(method)) {
    return "It cannot be exported as ONNX: this method adds to the model and leaves its weights as they are.";
  }
  if (info && !ENCODERS.includes(info.family)) {
    return "It cannot be exported as ONNX: BERT, DistilBERT, RoBERTa and ModernBERT can.";
  }
  if (info?.storage === "int8" || info?.storage === "int4") {
    return "ONNX can be exported only from 32-bit or 16-bit weights.";
  }
  return undefined;
}

function formatsOf(state: SortState, { files }: SortDesk): ExportFormat[] {
  const { result } = state;
  const method = result.finished?.options.method.type ?? "lora";
  const own = {
    testId: "export",
    label: `Export ${zipName(result.model, method)}`,
    help: loaders[method] ?? "Hugging Face PEFT loads it.",
    isReady: result.files !== undefined,
    run: () => files.adapter(),
  };
  if (missingOf(state) !== undefined) return [own];
  return [
    own,
    {
      testId: "export-onnx",
      label: "Export as ONNX",
      help: "ONNX: the whole classifier as a folder that transformers.js and onnxruntime run, in web pages and anywhere else.",
      isReady: false,
      run: () => files.onnx("onnx"),
    },
    {
      testId: "export-onnx-fp16",
      label: "Export as 16-bit ONNX",
      help: "16-bit ONNX: half the size; scores differ in the fourth digit or so.",
      isReady: false,
      run: () => files.onnx("onnx-fp16"),
    },
  ];
}

function kindOf({ result: { finished } }: SortState): Kind {
  if (finished === undefined) return "either";
  return arePairs(finished.evaluation.rows) ? "pairs" : "single";
}

const seconds = {
  pairs: { label: "Its second text", placeholder: "" },
  either: { label: "Its second text, if the adapter reads pairs", placeholder: "leave empty for single texts" },
};

function Try({ version, kind, actions }: { version: number; kind: Kind; actions: PredictActions }) {
  const [text, setText] = useState("");
  const [written, setWritten] = useState("");
  const second = kind === "single" ? "" : written;
  const [tried, setTried] = useState<Tried>();
  const [error, setError] = useState<string>();
  const [waiting, setWaiting] = useState(false);
  const turn = useRef(0);

  // Another version is another adapter.
  useEffect(() => {
    const mine = ++turn.current;
    setError(undefined);
    if (text.trim() === "" || (kind === "pairs" && second.trim() === "")) {
      setTried(undefined);
      setWaiting(false);
      return;
    }
    setWaiting(true);
    const timer = setTimeout(async () => {
      try {
        const made = await actions.predict(second.trim() === "" ? text : { text, textPair: second });
        if (mine === turn.current) setTried(made);
      } catch (failure) {
        if (mine === turn.current) setError(messageOf(failure));
      } finally {
        if (mine === turn.current) setWaiting(false);
      }
    }, PAUSE);
    return () => clearTimeout(timer);
  }, [text, second, kind, version, actions]);

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
      {kind === "single" ? null : (
        <div class="field">
          <label for="try-text-pair">{seconds[kind].label}</label>
          <textarea
            id="try-text-pair"
            data-testid="try-text-pair"
            rows={3}
            placeholder={seconds[kind].placeholder}
            value={written}
            onInput={(event) => setWritten(event.currentTarget.value)}
          />
        </div>
      )}
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
