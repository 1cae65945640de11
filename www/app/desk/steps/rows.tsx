/** The second step of a desk: rows come in as files or pasted text, are listed, saved and remembered. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Boundary } from "../../ui/boundary";
import { DropZone } from "../../ui/drop-zone";
import { FileButton } from "../../ui/file-button";
import type { Folder } from "../../ui/files";
import { counted, messageOf } from "../../ui/format";
import { useKeptFocus } from "../../ui/kept-focus";
import { StepCard } from "../../ui/step-card";
import { PASTED, type RowsActions } from "../actions/rows";
import { ErrorRemedy } from "../parts/error-remedy";
import type { RowsState } from "../state";
import { type Drafts, useDraft } from "../store";
import type { TaskTypes } from "../task";

export interface RowsWords {
  /** Of the test ids: `NAME-drop`, `clear-NAME`. */
  name: "examples" | "texts";
  title: string;
  lead: string;
  /** What a row is called. */
  noun: string;
  /** What may be dropped. */
  invitation: string;
  accept: string;
  placeholder: string;
  builtIn: { label: string; file: string; load: () => Promise<{ default: string }> };
}

interface Props<T extends TaskTypes> {
  words: RowsWords;
  rows: RowsState<T>;
  actions: RowsActions<T>;
  drafts: Drafts;
  /** How the rows were read. */
  format: ComponentChildren;
  /** The rows. */
  children: ComponentChildren;
}

export function RowsStep<T extends TaskTypes>({ words, rows, actions, drafts, format, children }: Props<T>) {
  const { name, title, lead, noun } = words;
  const isEmpty = rows.items.length === 0;
  return (
    <StepCard id={name} number={2} title={title} lead={lead}>
      <Intake words={words} rows={rows} actions={actions} drafts={drafts} />
      <ErrorRemedy
        message={rows.error}
        remedy={rows.remedy}
        testId={`${name}-error`}
        onTake={() => void actions.takeRemedy()}
      />
      <p class="status" data-testid={`${name}-note`}>
        {rows.reading ? "Reading…" : (rows.note ?? "")}
      </p>
      {rows.warnings?.length ? (
        <ul class="note note-warn" data-testid={`${name}-warnings`}>
          {rows.warnings.map((warning) => (
            <li key={warning}>{warning}</li>
          ))}
        </ul>
      ) : null}
      <Elsewhere noun={noun} rows={rows} actions={actions} />
      {format}
      <Boundary name={`The list of ${noun}s`}>{children}</Boundary>
      <div class="row between">
        <div class="row">
          <button type="button" data-testid={`clear-${name}`} disabled={isEmpty} onClick={() => actions.clear()}>
            Clear all
          </button>
          <button type="button" data-testid={`undo-${name}`} disabled={!rows.undo} onClick={() => actions.undo()}>
            Undo
          </button>
          <button type="button" data-testid={`save-${name}`} disabled={isEmpty} onClick={() => actions.save()}>
            Save as JSON lines
          </button>
        </div>
        <label class="check">
          <input
            type="checkbox"
            data-testid="remember"
            checked={rows.remember}
            onChange={(event) => void actions.setRemember(event.currentTarget.checked)}
          />
          Remember on this device
        </label>
      </div>
    </StepCard>
  );
}

type ElsewhereProps<T extends TaskTypes> = Pick<Props<T>, "rows" | "actions"> & { noun: string };

/** Two tabs remember rows in one place: a person says whose. */
function Elsewhere<T extends TaskTypes>({ noun, rows, actions }: ElsewhereProps<T>) {
  const { elsewhere, items } = rows;
  const isAsked = elsewhere !== undefined;
  const place = useKeptFocus(isAsked);
  const here = `The ${counted(items.length, noun)} of this tab ${items.length === 1 ? "is" : "are"} not remembered.`;
  return (
    <div ref={place} tabIndex={-1}>
      <div role="alert" class={isAsked ? "note note-warn stack" : "alert-empty"} data-testid="elsewhere">
        {isAsked ? (
          <>
            <p>
              {elsewhere > 0
                ? `Another tab has remembered ${counted(elsewhere, noun)} on this device since. ${here}`
                : `What this device remembered was removed, perhaps in another tab. ${here}`}
            </p>
            <div class="row">
              <button type="button" data-testid="keep-these" onClick={() => void actions.keepThese()}>
                Remember these{elsewhere > 0 ? " instead" : ""}
              </button>
              {elsewhere > 0 ? (
                <button type="button" data-testid="take-those" onClick={() => void actions.takeThose()}>
                  Take the other tab's
                </button>
              ) : null}
            </div>
          </>
        ) : null}
      </div>
    </div>
  );
}

function Intake<T extends TaskTypes>({ words, rows, actions, drafts }: Omit<Props<T>, "format" | "children">) {
  const { name, noun, invitation, accept, placeholder, builtIn } = words;
  const [pasted, setPasted] = useDraft(drafts, "pasted", "");
  const [add, setAdd] = useState(false);
  const count = rows.items.length;
  const adding = add && count > 0;
  const showError = (error: string) => actions.showError(error);
  const take = ({ files }: Folder) => {
    const [file, another] = files;
    if (!file) return;
    if (another) {
      const hint = count > 0 ? ' Tick "Add" to join several.' : "";
      showError(`${counted(files.length, "file")} were given: one file at a time, please.${hint}`);
      return;
    }
    void actions.read(file.path, file.blob, adding);
  };
  const takeBuiltIn = async () => {
    try {
      const { default: text } = await builtIn.load();
      await actions.read(builtIn.file, text, false);
    } catch (error) {
      showError(messageOf(error));
    }
  };
  return (
    <DropZone label={`Add ${noun}s`} testId={`${name}-drop`} onFolder={take} onError={showError}>
      <p>{invitation}</p>
      <div class="row center">
        <FileButton label="Choose a file" testId={`${name}-file`} accept={accept} onFolder={take} />
        <button
          type="button"
          class={count === 0 ? "primary" : ""}
          data-testid={`built-in-${name}`}
          onClick={() => void takeBuiltIn()}
        >
          {builtIn.label}
        </button>
      </div>
      <details class="drawer">
        <summary>Paste text</summary>
        <label class="sr-only" for="paste">
          Rows to read
        </label>
        <textarea
          id="paste"
          data-testid="paste"
          rows={5}
          spellcheck={false}
          placeholder={placeholder}
          value={pasted}
          onInput={(event) => setPasted(event.currentTarget.value)}
        />
        <button
          type="button"
          data-testid="paste-read"
          disabled={pasted.trim() === "" || rows.reading}
          onClick={() => void actions.read(PASTED, pasted, adding)}
        >
          Read the pasted text
        </button>
      </details>
      {count > 0 ? (
        <label class="check">
          <input
            type="checkbox"
            data-testid="add-to-rows"
            checked={add}
            onChange={(event) => setAdd(event.currentTarget.checked)}
          />
          Add to the {counted(count, noun)} below instead of replacing them
        </label>
      ) : null}
    </DropZone>
  );
}
