/** The columns and the format of a source, as found or as chosen. */
import { useId, useState } from "preact/hooks";
import type { ParsedTable, ParseOptions, TableFormat } from "webtune";
import "../../desk/parts/option-drawer.css";

type Found = Pick<ParsedTable, "format" | "columns" | "textColumn" | "labelColumn">;

interface Props {
  name: string;
  found?: Found | undefined;
  busy: boolean;
  onRead: (options: ParseOptions) => void;
}

const formats: { value: TableFormat; label: string }[] = [
  { value: "csv", label: "CSV (commas)" },
  { value: "tsv", label: "TSV (tabs)" },
  { value: "jsonl", label: "JSON lines" },
  { value: "labelTab", label: "label, tab, text" },
];

export function ColumnsPicker({ name, found, busy, onRead }: Props) {
  const id = useId();
  const [format, setFormat] = useState<TableFormat | "">(found?.format ?? "");
  const [text, setText] = useState(found?.textColumn ?? "");
  const [label, setLabel] = useState(found?.labelColumn ?? "");
  const columns = found?.columns ?? [];

  const column = (title: string, key: string, value: string, set: (value: string) => void) => (
    <div class="field">
      <label for={`${id}-${key}`}>{title}</label>
      {columns.length > 0 ? (
        <select
          id={`${id}-${key}`}
          data-testid={`column-${key}`}
          value={value}
          onChange={(event) => set(event.currentTarget.value)}
        >
          {columns.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      ) : (
        <input
          id={`${id}-${key}`}
          data-testid={`column-${key}`}
          value={value}
          placeholder="name, or Column 2"
          onInput={(event) => set(event.currentTarget.value)}
        />
      )}
    </div>
  );

  return (
    <form
      class="fields"
      data-testid="source-picker"
      onSubmit={(event) => {
        event.preventDefault();
        // Another format has other columns, so the old choice would not fit.
        const same = found === undefined || format === found.format;
        onRead({
          ...(format ? { format } : {}),
          ...(same && text ? { textColumn: text } : {}),
          ...(same && label ? { labelColumn: label } : {}),
        });
      }}
    >
      <div class="field">
        <label for={`${id}-format`}>Format of {name}</label>
        <select
          id={`${id}-format`}
          data-testid="source-format"
          value={format}
          onChange={(event) => setFormat(event.currentTarget.value as TableFormat | "")}
        >
          {found ? null : <option value="">Detected automatically</option>}
          {formats.map((one) => (
            <option key={one.value} value={one.value}>
              {one.label}
            </option>
          ))}
        </select>
      </div>
      {column("Text column", "text", text, setText)}
      {column("Label column", "label", label, setLabel)}
      <div class="field field-button">
        <button type="submit" data-testid="read-again" disabled={busy}>
          Read again
        </button>
      </div>
    </form>
  );
}
