/**
 * Enters: the rows and how they were read. Leaves: the second step, where examples come in and are put right.
 */

import { RowsFooter } from "../../desk/parts/rows-footer";
import { RowsIntake } from "../../desk/parts/rows-intake";
import { Alert } from "../../ui/alert";
import { download } from "../../ui/files";
import { counted, messageOf } from "../../ui/format";
import { StepCard } from "../../ui/step-card";
import type { ExampleActions } from "../actions/examples";
import type { Checked } from "../checks";
import { SourcePicker } from "../parts/columns-picker";
import { LabelCounts } from "../parts/label-counts";
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
  const builtIn = async () => {
    const { default: text } = await import("../../examples/support.jsonl?raw");
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
      <RowsIntake
        kept={store.kept}
        name="examples"
        label="Bring in examples"
        invitation={'Drop a CSV, TSV, JSON lines or "label, tab, text" file here, or'}
        accept=".csv,.tsv,.txt,.jsonl,.json,.ndjson,text/*"
        builtInLabel="Use the built-in examples"
        placeholder={'text,label\n"Where is my parcel?",delivery\n"I was charged twice",billing'}
        count={rows.length}
        noun="row"
        reading={examples.reading}
        onRead={(name, content, add) => void actions.read(name, content, add)}
        onBuiltIn={() => void builtIn().catch((error: unknown) => store.patch("examples", { error: messageOf(error) }))}
        onError={(error) => store.patch("examples", { error })}
      />
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
      <RowsFooter
        name="examples"
        isEmpty={rows.length === 0}
        canUndo={examples.undo !== undefined}
        canSave={checked.usable.length > 0}
        remember={examples.remember}
        onClear={() => actions.clear()}
        onUndo={() => actions.undo()}
        onSave={save}
        onRemember={(on) => void actions.setRemember(on)}
      />
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
