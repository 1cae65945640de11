/**
 * Enters: the rows and how they were read. Leaves: the second step, where examples come in and are put right.
 */
import { useState } from "preact/hooks";
import type { ExampleActions } from "../actions/examples";
import type { Checked } from "../checks";
import { download, type Folder } from "../files";
import { counted } from "../format";
import { Alert } from "../parts/alert";
import { DropZone } from "../parts/drop-zone";
import { FileButton } from "../parts/file-button";
import { LabelCounts } from "../parts/label-counts";
import { SourcePicker } from "../parts/source-picker";
import { StepCard } from "../parts/step-card";
import { TableEditor } from "../parts/table-editor";
import type { ExamplesState, State, Store } from "../state";

interface Props {
  state: State;
  store: Store;
  checked: Checked;
  actions: ExampleActions;
}

export function ExamplesStep({ state, store, checked, actions }: Props) {
  const { examples } = state;
  const { rows } = examples;
  const [pasted, setPasted] = useState("");
  const [add, setAdd] = useState(false);
  const adding = add && rows.length > 0;

  const take = (folder: Folder) => {
    const [file, another] = folder.files;
    if (!file) return;
    if (another) {
      store.patch("examples", {
        error: `${counted(folder.files.length, "file")} were given: one file at a time, please. Tick "Add" to join several.`,
      });
      return;
    }
    void actions.read(file.path, file.blob, adding);
  };
  const builtIn = async () => {
    const { default: text } = await import("../examples/support.jsonl?raw");
    await actions.read("support.jsonl", text, false);
  };
  const save = () => {
    const lines = checked.usable.map(({ text, label }) => JSON.stringify({ text, label }));
    download("examples.jsonl", `${lines.join("\n")}\n`, "application/jsonl");
    actions.saved();
  };
  const uncertain = (examples.table?.columns.length ?? 0) > 2 || examples.failed !== undefined;
  const picked = examples.failed ?? examples.source;
  const foundTable = examples.failed ? undefined : examples.table;

  return (
    <StepCard
      id="examples"
      number={2}
      title="Examples"
      lead="Texts and the label that each should get. A few dozen per label do well. They stay in this tab."
    >
      <DropZone
        label="Bring in examples"
        testId="examples-drop"
        onFolder={take}
        onError={(error) => store.patch("examples", { error })}
      >
        <p>Drop a CSV, TSV, JSON lines or "label, tab, text" file here, or</p>
        <div class="row center">
          <FileButton
            label="Choose a file"
            testId="examples-file"
            accept=".csv,.tsv,.txt,.jsonl,.json,.ndjson,text/*"
            onFolder={take}
          />
          <button
            type="button"
            class={rows.length === 0 ? "primary" : ""}
            data-testid="built-in-examples"
            onClick={() => void builtIn()}
          >
            Use the built-in examples
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
            placeholder={'text,label\n"Where is my parcel?",delivery\n"I was charged twice",billing'}
            value={pasted}
            onInput={(event) => setPasted(event.currentTarget.value)}
          />
          <button
            type="button"
            data-testid="paste-read"
            disabled={pasted.trim() === "" || examples.reading}
            onClick={() => void actions.read("pasted text", pasted, adding)}
          >
            Read the pasted text
          </button>
        </details>
        {rows.length > 0 ? (
          <label class="check">
            <input
              type="checkbox"
              data-testid="add-to-rows"
              checked={add}
              onChange={(event) => setAdd(event.currentTarget.checked)}
            />
            Add to the {counted(rows.length, "row")} below instead of taking their place
          </label>
        ) : null}
      </DropZone>
      <Alert message={examples.error} testId="examples-error" />
      <p class="status" data-testid="examples-note">
        {examples.reading ? "Reading…" : (examples.note ?? "")}
      </p>
      {picked ? (
        <details class="drawer" open={uncertain || undefined} data-testid="columns">
          <summary>
            Columns and format{" "}
            {foundTable ? (
              <span class="muted">
                text from "{foundTable.textColumn}", label from "{foundTable.labelColumn}"
              </span>
            ) : null}
          </summary>
          <SourcePicker
            key={`${picked.name}|${foundTable?.format}|${foundTable?.textColumn}|${foundTable?.labelColumn}|${foundTable?.columns.length}`}
            name={picked.name}
            found={foundTable}
            busy={examples.reading}
            onRead={(options) => void actions.readAgain(options)}
          />
        </details>
      ) : null}
      {rows.length > 0 ? <Summary checked={checked} examples={examples} actions={actions} /> : null}
      <TableEditor
        rows={rows}
        checked={checked}
        onEdit={(id, change) => actions.edit(id, change)}
        onAdd={() => actions.add()}
        onRemove={(ids) => actions.remove(ids)}
      />
      <div class="row between">
        <div class="row">
          <button
            type="button"
            data-testid="clear-examples"
            disabled={rows.length === 0}
            onClick={() => actions.clear()}
          >
            Clear all
          </button>
          <button type="button" data-testid="undo-examples" disabled={!examples.undo} onClick={() => actions.undo()}>
            Undo
          </button>
          <button type="button" data-testid="save-examples" disabled={checked.usable.length === 0} onClick={save}>
            Save as JSON lines
          </button>
        </div>
        <label class="check">
          <input
            type="checkbox"
            data-testid="remember"
            checked={examples.remember}
            onChange={(event) => void actions.setRemember(event.currentTarget.checked)}
          />
          Remember on this device
        </label>
      </div>
    </StepCard>
  );
}

interface SummaryProps {
  checked: Checked;
  examples: ExamplesState;
  actions: ExampleActions;
}

function Summary({ checked, examples, actions }: SummaryProps) {
  const marks = [
    checked.empty > 0 ? `${counted(checked.empty, "empty row")} not used` : "",
    checked.duplicates > 0 ? counted(checked.duplicates, "repeated row") : "",
    checked.conflicts > 0
      ? `${counted(checked.conflicts, "row")} with a text that stood before under another label`
      : "",
  ].filter(Boolean);
  return (
    <div class="summary">
      <p>
        <strong data-testid="examples-count">{counted(checked.usable.length, "example")}</strong>,{" "}
        {counted(checked.labels.length, "label")}
        {marks.length > 0 ? (
          <span class="warn-text" data-testid="examples-marks">
            . Worth a look: {marks.join("; ")}.
          </span>
        ) : (
          "."
        )}
      </p>
      <LabelCounts
        labels={checked.labels}
        descriptions={examples.descriptions}
        onDescribe={(label, description) => actions.describe(label, description)}
      />
    </div>
  );
}
