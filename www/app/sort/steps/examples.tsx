/** The second step: examples with labels, their columns, counts and table. */
import { RowsStep, type RowsWords } from "../../desk/steps/rows";
import { counted } from "../../ui/format";
import type { Checked } from "../checks";
import type { SortDesk } from "../desk";
import { ColumnsPicker } from "../parts/columns-picker";
import { LabelCounts } from "../parts/label-counts";
import { TableEditor } from "../parts/table-editor";
import type { SortState, TableReading } from "../state";

const words: RowsWords = {
  name: "examples",
  title: "Examples",
  lead: "Texts, or pairs of texts, and the label that each should get. A few dozen per label are enough. They stay in this tab.",
  noun: "example",
  invitation: 'Drop a CSV, TSV, JSON, fastText or "label, tab, text" file here (or one of them as .gz), or',
  accept: ".csv,.tsv,.txt,.label,.jsonl,.json,.ndjson,.gz,text/*",
  placeholder: 'text,label\n"Where is my parcel?",delivery\n"I was charged twice",billing',
  builtIn: {
    label: "Use the built-in examples",
    file: "support.jsonl",
    load: () => import("../../examples/support.jsonl?raw"),
  },
};

export function ExamplesStep({ state, desk, checked }: { state: SortState; desk: SortDesk; checked: Checked }) {
  const { rows, table } = state;
  const actions = desk.rows;
  const picked = table.failed ?? table.source;
  const found = table.failed ? undefined : table.found;
  const isUncertain = (table.found?.columns.length ?? 0) > 2 || table.failed !== undefined;
  const format = picked ? (
    <details class="drawer" open={isUncertain || undefined} data-testid="columns">
      <summary>
        Columns and format{" "}
        {found ? (
          <span class="muted">
            text from "{found.textColumn}"
            {found.textPairColumn === null ? "" : `, second text from "${found.textPairColumn}"`}, {labelsFrom(found)}
            {found.header ? "" : ", no row with names"}
          </span>
        ) : null}
      </summary>
      <ColumnsPicker
        key={`${picked.name}|${found?.format}|${found?.delimiter}|${found?.header}|${found?.encoding}|${found?.textColumn}|${found?.textPairColumn}|${found?.labelColumn}|${found?.labelColumns}|${found?.labelSeparator}|${found?.columns.length}`}
        name={picked.name}
        found={found}
        busy={rows.reading}
        onRead={(options) => void actions.readAgain(options)}
      />
    </details>
  ) : null;

  return (
    <RowsStep words={words} rows={rows} actions={actions} drafts={desk.store.drafts} format={format}>
      {rows.items.length > 0 ? (
        <div class="summary">
          <Summary checked={checked} />
          <LabelCounts
            labels={checked.labels}
            descriptions={state.labels.descriptions}
            onDescribe={(label, description) => actions.describe(label, description)}
          />
        </div>
      ) : null}
      <TableEditor rows={rows.items} checked={checked} actions={actions} />
    </RowsStep>
  );
}

function labelsFrom({ labelColumn, labelColumns, labelSeparator }: TableReading): string {
  if (labelColumns.length > 0) return `labels from ${counted(labelColumns.length, "column")} of 0 and 1`;
  const separated = labelSeparator === null ? "" : `, separated by "${labelSeparator}"`;
  return `label from "${labelColumn}"${separated}`;
}

function Summary({ checked }: { checked: Checked }) {
  const marks = [
    checked.empty > 0 ? `${counted(checked.empty, "empty row")} not used` : "",
    checked.duplicates > 0 ? counted(checked.duplicates, "repeated row") : "",
    checked.conflicts > 0 ? `${counted(checked.conflicts, "row")} with a text that has another label above` : "",
  ].filter(Boolean);
  return (
    <p>
      <strong data-testid="examples-count">{counted(checked.usable.length, "example")}</strong>,{" "}
      {counted(checked.labels.length, "label")}
      {checked.several ? ", of which a text may have several" : ""}
      {marks.length > 0 ? (
        <span class="warn-text" data-testid="examples-marks">
          . Check: {marks.join("; ")}.
        </span>
      ) : (
        "."
      )}
    </p>
  );
}
