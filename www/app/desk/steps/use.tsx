/** The fifth step of a desk: the result is tried, exported, and an earlier one imported. */
import type { ComponentChildren } from "preact";
import { Alert } from "../../ui/alert";
import { useConfirm } from "../../ui/confirm";
import { DropZone } from "../../ui/drop-zone";
import { FileButton } from "../../ui/file-button";
import { FileList } from "../../ui/file-list";
import type { Folder } from "../../ui/files";
import { useKeptFocus } from "../../ui/kept-focus";
import { ProgressLine } from "../../ui/progress-line";
import { StepCard } from "../../ui/step-card";
import type { ExportActions } from "../actions/export";
import { BaseNameField } from "../parts/base-name";
import { type DeskState, isBusy, wouldLoseResult } from "../state";
import type { TaskTypes } from "../task";

/** One of the forms in which a result can be exported. */
export interface ExportFormat {
  testId: string;
  label: string;
  help: string;
  /** The files are there already, so that no engine is needed. */
  isReady: boolean;
  run: () => Promise<void>;
}

interface Props<T extends TaskTypes> {
  lead: string;
  /** Why the step cannot be used, without a model and a result. */
  waiting: string;
  state: DeskState<T>;
  actions: ExportActions<T>;
  /** The engine has other work. */
  busy?: boolean;
  /** What can be exported, the usual form first. */
  formats: ExportFormat[];
  /** Said below the formats. */
  missing?: string | undefined;
  /** What may be dropped. */
  invitation: string;
  /** Asked of an adapter that has come in. */
  question?: ComponentChildren;
  /** What can be tried now, or why nothing can. */
  children: ComponentChildren;
}

export function UseStep<T extends TaskTypes>(props: Props<T>) {
  const {
    lead,
    waiting,
    state,
    actions,
    busy: engineBusy = false,
    formats,
    missing,
    invitation,
    question,
    children,
  } = props;
  const { model, run, result } = state;
  const { askIf, dialog } = useConfirm();
  const busy = isBusy(run) || result.busy || engineBusy;
  // A crash takes the model away; files that were exported before it remain.
  const loaded = model.info !== undefined;
  const hasResult = result.origin !== undefined && (loaded || result.files !== undefined);
  const bringBack = (folder: Folder) =>
    askIf(wouldLoseResult(state), {
      title: "Import an adapter?",
      text: "The tuned adapter has not been exported. Importing discards it.",
      yes: "Discard it and import",
      act: () => void actions.import(folder),
    });

  return (
    <StepCard id="use" number={5} title="Use it" lead={lead} waiting={loaded || hasResult ? undefined : waiting}>
      {dialog}
      {children}
      {hasResult ? (
        <Export
          state={state}
          formats={formats}
          missing={missing}
          busy={busy}
          loaded={loaded}
          onBaseName={(baseName) => actions.nameBase(baseName)}
        />
      ) : null}
      <div class="stack">
        <h3>Import</h3>
        <DropZone
          label="Import an exported adapter"
          testId="import-drop"
          disabled={busy || !loaded}
          onFolder={bringBack}
          onError={(error) => actions.showImportError(error)}
        >
          <p>{invitation}</p>
          <div class="row center">
            <FileButton
              label="Choose a zip"
              testId="import-zip"
              accept=".zip"
              disabled={busy || !loaded}
              onFolder={bringBack}
            />
            <FileButton
              label="Choose a folder"
              testId="import-folder"
              folder
              disabled={busy || !loaded}
              onFolder={bringBack}
            />
          </div>
        </DropZone>
        <Alert message={result.importError} testId="import-error" />
        {result.importNote ? (
          <p class="note note-good" data-testid="import-note">
            {result.importNote}
          </p>
        ) : null}
        {question}
      </div>
    </StepCard>
  );
}

interface ExportProps extends Pick<Props<TaskTypes>, "formats" | "missing"> {
  state: Pick<DeskState, "model" | "result">;
  busy: boolean;
  loaded: boolean;
  onBaseName: (baseName: string) => void;
}

function Export({ state: { model, result }, formats, missing, busy, loaded, onBaseName }: ExportProps) {
  const row = useKeptFocus(result.busy);
  return (
    <div class="stack">
      <h3>Export</h3>
      <BaseNameField model={model} disabled={busy} onChange={onBaseName} />
      <div class="row" ref={row} tabIndex={-1}>
        {formats.map(({ testId, label, isReady, run }, index) => (
          <button
            key={testId}
            type="button"
            class={index === 0 && !result.exported ? "primary" : ""}
            data-testid={testId}
            disabled={busy || !(loaded || isReady)}
            onClick={() => void run()}
          >
            {label}
          </button>
        ))}
        {result.origin === "trained" && result.exported ? <span class="tag">exported</span> : null}
      </div>
      <ul class="help forms">
        {formats.map(({ testId, help }) => (
          <li key={testId}>{help}</li>
        ))}
        {missing ? <li>{missing}</li> : null}
      </ul>
      {result.exporting ? <ProgressLine testId="export-progress" label="Exporting" text={result.exporting} /> : null}
      <Alert message={result.exportError} testId="export-error" />
      {result.exportNote ? (
        <p class="note note-good" data-testid="export-note">
          {result.exportNote}
        </p>
      ) : null}
      {result.files ? <FileList title="Files in it" files={result.files} /> : null}
    </div>
  );
}
