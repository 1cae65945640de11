/**
 * Enters: a loaded model and what was tuned. Leaves: the fifth step, where both write, and the result is taken away or brought back.
 */

import { ImportAdapter } from "../../desk/parts/import-adapter";
import { isBusy } from "../../sort/state";
import { Alert } from "../../ui/alert";
import { useConfirm } from "../../ui/confirm";
import { FileList } from "../../ui/file-list";
import type { Folder } from "../../ui/files";
import { useKeptFocus } from "../../ui/kept-focus";
import { ProgressLine } from "../../ui/progress-line";
import { StepCard } from "../../ui/step-card";
import type { LeaveActions } from "../actions/export";
import type { WriteActions } from "../actions/write";
import { TryLabels } from "../parts/try-labels";
import { TryWriting } from "../parts/try-writing";
import { isChat } from "../rows";
import { type LanguageState, type LanguageStore, wouldLoseTuned } from "../state";

interface Props {
  state: LanguageState;
  store: LanguageStore;
  write: WriteActions;
  leave: LeaveActions;
}

export function LanguageUseStep({ state, store, write, leave }: Props) {
  const { model, texts, run, result } = state;
  const { askIf, dialog } = useConfirm();
  const busy = isBusy(run);
  // A crash takes the model away; files that were taken before can still be exported.
  const loaded = model.info !== undefined;
  const kept = result.origin !== undefined && (loaded || result.files !== undefined);
  const cannotImport = busy || result.busy || state.trying.busy || !loaded;
  const [first] = texts.items;

  const bringBack = (folder: Folder) => {
    const act = () => void leave.import(folder);
    askIf(wouldLoseTuned(state), {
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
      lead="Let both models write, then take the result with you."
      waiting={loaded || kept ? undefined : "Load a model first; then it can write, before tuning already."}
    >
      {dialog}
      {loaded && !busy ? (
        <>
          <TryWriting
            kept={store.kept}
            state={state}
            write={write}
            asChat={first ? isChat(first.row) : (model.info?.ownTemplate ?? false)}
          />
          <TryLabels kept={store.kept} write={write} busy={state.trying.busy || result.busy} />
        </>
      ) : (
        <p class="muted" data-testid="try-waiting">
          {busy
            ? "You can let it write when this run has ended."
            : "The engine is gone, so nothing can be written. What was tuned can still be exported."}
        </p>
      )}
      {kept ? <Leave state={state} leave={leave} loaded={loaded} /> : null}
      <ImportAdapter
        invitation="Drop a PEFT adapter's zip or folder here, or"
        disabled={cannotImport}
        note={result.importNote}
        error={result.importError}
        onFolder={bringBack}
        onError={(importError) => store.patch("result", { importError })}
      />
    </StepCard>
  );
}

function Leave({ state, leave, loaded }: { state: LanguageState; leave: LeaveActions; loaded: boolean }) {
  const { result, run, trying } = state;
  const method = result.finished?.options.method.type;
  const off = result.busy || isBusy(run) || trying.busy;
  const row = useKeptFocus(result.busy);
  const isFull = method === "full";
  // An imported adapter may be of any kind; the engine says where it cannot leave that way.
  const asGguf = method === undefined || method === "lora";
  // What was rounded to 8 or 4 bits is no longer what the file should hold.
  const rounded = state.model.info?.storage === "int8" || state.model.info?.storage === "int4";
  const asMerged = method !== "prefix" && !rounded;
  const toFolder = "showDirectoryPicker" in window;
  return (
    <div class="stack">
      <h3>Export</h3>
      <div class="row" ref={row} tabIndex={-1}>
        {isFull ? null : (
          <button
            type="button"
            class={result.exported ? "" : "primary"}
            data-testid="export-peft"
            disabled={off || !(loaded || result.files)}
            onClick={() => void leave.peft()}
          >
            Export for PEFT
          </button>
        )}
        {asGguf ? (
          <button type="button" data-testid="export-gguf" disabled={off || !loaded} onClick={() => void leave.gguf()}>
            Export for llama.cpp
          </button>
        ) : null}
        {asMerged ? (
          <button
            type="button"
            class={isFull && !result.exported ? "primary" : ""}
            data-testid="export-merged"
            disabled={off || !loaded}
            onClick={() => void leave.merged()}
          >
            Export the whole model
          </button>
        ) : null}
        {result.origin === "trained" && result.exported ? <span class="tag">exported</span> : null}
      </div>
      <ul class="help forms">
        {isFull ? null : (
          <li>
            PEFT: the adapter alone, with a script that carries the run on elsewhere. It can be imported here again.
          </li>
        )}
        {asGguf ? <li>llama.cpp: one GGUF file for its --lora.</li> : null}
        {asMerged ? (
          <li>
            The whole model: a Transformers folder with the adapter folded in,{" "}
            {toFolder ? "written piece by piece into a folder that you choose" : "as one zip"}.
          </li>
        ) : rounded ? (
          <li>The whole model leaves only where the frozen weights are kept in 32 or 16 bits.</li>
        ) : null}
      </ul>
      {result.leaving ? <ProgressLine testId="export-progress" label="Exporting" text={result.leaving} /> : null}
      <Alert message={result.exportError} testId="export-error" />
      {result.exportNote ? (
        <p class="note note-good" data-testid="export-note">
          {result.exportNote}
        </p>
      ) : null}
      {result.files ? <FileList title="What is in the PEFT folder" files={result.files} /> : null}
    </div>
  );
}
