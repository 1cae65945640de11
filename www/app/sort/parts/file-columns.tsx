/** How a file that is to be classified is read: its columns, what a label needs, and what was found out by looking. */
import { useId } from "preact/hooks";
import type { TableOptions, TextTableFormat, TextTableReading } from "webtune";
import "../../desk/parts/option-drawer.css";
import type { ClassifyFileActions } from "../actions/classify-file";
import type { FileState } from "../file-state";
import type { Kind } from "./file-classifier";
import { delimiters, encodings } from "./table-words";

interface Props {
  file: FileState;
  reading: TextTableReading;
  kind: Kind;
  disabled: boolean;
  actions: ClassifyFileActions;
}

const formats: { value: TextTableFormat; label: string }[] = [
  { value: "csv", label: "CSV" },
  { value: "tsv", label: "TSV" },
  { value: "labelTab", label: "two columns by the first tab" },
  { value: "jsonl", label: "JSON lines" },
  { value: "lines", label: "a text on each line" },
];

const headers = [
  { value: "true", label: "names of columns" },
  { value: "false", label: "a text to classify" },
];

/** Characters of a first cell that are shown beside its column's name. */
const SHOWN = 40;

export function FileColumns({ file, reading, kind, disabled, actions }: Props) {
  const id = useId();
  const { format, columns, firstRow, textColumn, textPairColumn } = reading;
  const isTable = format === "csv" || format === "tsv";
  const choices = columns.map((name, index) => ({ value: name, label: withFirst(name, firstRow[index]) }));
  const read = (change: Partial<TableOptions>) => void actions.read({ ...file.options, ...change });
  // Other cells are other columns, so the old choice would not fit.
  const readAnew = (change: Partial<TableOptions>) => {
    const { format, delimiter, header, encoding } = { ...file.options, ...change };
    void actions.read({ format, delimiter, header, encoding }, kind === "single");
  };
  const select = (
    title: string,
    testId: string,
    value: string,
    all: readonly { value: string; label: string }[],
    set: (value: string) => void,
  ) => (
    <div class="field">
      <label for={`${id}-${testId}`}>{title}</label>
      <select
        id={`${id}-${testId}`}
        data-testid={testId}
        value={value}
        disabled={disabled}
        onChange={(event) => set(event.currentTarget.value)}
      >
        {all.map((one) => (
          <option key={one.value} value={one.value}>
            {one.label}
          </option>
        ))}
      </select>
    </div>
  );
  const found = formats.find(({ value }) => value === format)?.label;
  const between = delimiters.find(({ value }) => value === reading.delimiter)?.label ?? `"${reading.delimiter}"`;
  return (
    <>
      <div class="fields">
        {columns.length < 2
          ? null
          : select("Column of the texts", "classify-column", textColumn, choices, (value) =>
              read({ textColumn: value, textPairColumn: value === textPairColumn ? undefined : textPairColumn }),
            )}
        {kind === "single" || columns.length < 2
          ? null
          : select(
              "Column of second texts",
              "classify-pair-column",
              textPairColumn ?? "",
              [{ value: "", label: "none: single texts" }, ...choices.filter(({ value }) => value !== textColumn)],
              (value) => read({ textColumn, textPairColumn: value === "" ? undefined : value }),
            )}
        <div class="field">
          <label for={`${id}-threshold`}>
            Least confidence <span class="unit">in %</span>
          </label>
          <input
            id={`${id}-threshold`}
            data-testid="classify-threshold"
            inputMode="decimal"
            value={file.threshold}
            disabled={disabled}
            aria-describedby={`${id}-threshold-help`}
            onInput={(event) => actions.set({ threshold: event.currentTarget.value })}
          />
          <span class="help" id={`${id}-threshold-help`}>
            A label below it stays blank.
          </span>
        </div>
      </div>
      <details class="drawer">
        <summary data-testid="classify-reading">
          How the file is read
          <span class="muted">
            {found}
            {isTable && `, ${between}`}
            {format === "jsonl" ? "" : reading.header ? ", with a header" : ", no header"}
          </span>
        </summary>
        <div class="fields">
          {select("Format", "classify-format", format, formats, (value) =>
            readAnew({ format: value as TextTableFormat, delimiter: undefined, header: undefined }),
          )}
          {isTable
            ? select("Columns are separated by", "classify-delimiter", reading.delimiter ?? "", delimiters, (value) =>
                readAnew({ format, delimiter: value, header: undefined }),
              )
            : null}
          {format === "jsonl"
            ? null
            : select("The first row is", "classify-header", String(reading.header), headers, (value) =>
                readAnew({ header: value === "true" }),
              )}
          {select("Encoding", "classify-encoding", reading.encoding, encodings, (value) =>
            readAnew({ encoding: value as TableOptions["encoding"] }),
          )}
        </div>
        <label class="check">
          <input
            type="checkbox"
            data-testid="classify-formulas"
            checked={file.quoteFormulas}
            disabled={disabled || format === "jsonl"}
            onChange={(event) => actions.set({ quoteFormulas: event.currentTarget.checked })}
          />
          Put an apostrophe before old cells that a spreadsheet would run as a formula
        </label>
        <p class="help">
          Otherwise the old columns stay as they are, byte for byte. The new ones never hold a formula.
        </p>
      </details>
    </>
  );
}

function withFirst(name: string, first = ""): string {
  const text = first.trim().replace(/\s+/g, " ");
  if (text === "") return name;
  return `${name} (${text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text})`;
}
