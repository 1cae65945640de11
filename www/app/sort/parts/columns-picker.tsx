/** The columns and the format of a source, as found or as chosen. */
import { useId, useState } from "preact/hooks";
import type { ParseOptions, TableFormat, TextEncoding } from "webtune";
import "../../desk/parts/option-drawer.css";
import type { TableReading } from "../state";
import { delimiters, encodings } from "./table-words";

interface Props {
  name: string;
  found?: TableReading | undefined;
  busy: boolean;
  onRead: (options: ParseOptions) => void;
}

const formats: { value: TableFormat; label: string }[] = [
  { value: "csv", label: "CSV (commas)" },
  { value: "tsv", label: "TSV (tabs)" },
  { value: "jsonl", label: "JSON" },
  { value: "labelTab", label: "label, tab, text" },
  { value: "fastText", label: "fastText (__label__x text)" },
  { value: "trec", label: "TREC (LABEL:sub text)" },
];

const headers = [
  { value: "true", label: "names of columns" },
  { value: "false", label: "a row" },
];

/** In place of a column's name: those of 0 and 1 that were found. No column's name begins with a line break. */
const SEVERAL = "\n";

export function ColumnsPicker({ name, found, busy, onRead }: Props) {
  const id = useId();
  const [format, setFormat] = useState<TableFormat | "">(found?.format ?? "");
  const [delimiter, setDelimiter] = useState(found?.delimiter ?? "");
  const [header, setHeader] = useState(found ? String(found.header) : "");
  const [encoding, setEncoding] = useState<TextEncoding | "">(found?.encoding ?? "");
  const [text, setText] = useState(found?.textColumn ?? "");
  const [second, setSecond] = useState(found?.textPairColumn ?? "");
  const [label, setLabel] = useState(found?.labelColumns.length ? SEVERAL : (found?.labelColumn ?? ""));
  const [separator, setSeparator] = useState(found?.labelSeparator ?? "");
  const columns = found?.columns ?? [];
  const several = found?.labelColumns ?? [];

  /** `none` is what a select calls no column. */
  const column = (title: string, key: string, value: string, set: (value: string) => void, none?: string) => (
    <div class="field">
      <label for={`${id}-${key}`}>{title}</label>
      {columns.length > 0 ? (
        <select
          id={`${id}-${key}`}
          data-testid={`column-${key}`}
          value={value}
          onChange={(event) => set(event.currentTarget.value)}
        >
          {none === undefined ? null : <option value="">{none}</option>}
          {key === "label" && several.length > 0 ? (
            <option value={SEVERAL}>{several.length} columns of 0 and 1</option>
          ) : null}
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
          placeholder={none === undefined ? "name, or Column 2" : "none"}
          onInput={(event) => set(event.currentTarget.value)}
        />
      )}
    </div>
  );

  const choice = <Value extends string>(
    title: string,
    key: string,
    values: readonly { value: Value; label: string }[],
    value: Value | "",
    set: (value: Value | "") => void,
  ) => (
    <div class="field">
      <label for={`${id}-${key}`}>{title}</label>
      <select
        id={`${id}-${key}`}
        data-testid={`source-${key}`}
        value={value}
        onChange={(event) => set(event.currentTarget.value as Value | "")}
      >
        {found && value !== "" ? null : <option value="">Detected automatically</option>}
        {values.map((one) => (
          <option key={one.value} value={one.value}>
            {one.label}
          </option>
        ))}
      </select>
    </div>
  );

  return (
    <form
      class="fields"
      data-testid="source-picker"
      onSubmit={(event) => {
        event.preventDefault();
        // Another format has other columns, so the old choice would not fit.
        const isTable = format === "csv" || format === "tsv";
        const hasHeader = isTable || format === "labelTab";
        const sameHeader = found === undefined || !hasHeader || header === String(found.header);
        const sameDelimiter = found === undefined || !isTable || delimiter === found.delimiter;
        // What was chosen before stays chosen, and another column is looked at anew.
        const isSeparatorChosen = separator !== (found?.labelSeparator ?? "");
        const isSameLabel = found !== undefined && label === found.labelColumn;
        const same = (found === undefined || format === found.format) && sameHeader && sameDelimiter;
        onRead({
          ...(format ? { format } : {}),
          ...(encoding ? { encoding } : {}),
          ...(isTable && delimiter && !sameDelimiter ? { delimiter } : {}),
          ...(hasHeader && header && !sameHeader ? { header: header === "true" } : {}),
          ...(same && text ? { textColumn: text } : {}),
          // with a text column and no second one, that text is read alone
          ...(same && second ? { textPairColumn: second } : {}),
          ...(same && label === SEVERAL ? { labelColumns: several } : {}),
          ...(same && label && label !== SEVERAL ? { labelColumn: label } : {}),
          ...(isSeparatorChosen || (same && isSameLabel) ? { labelSeparator: separator } : {}),
        });
      }}
    >
      {choice(`Format of ${name}`, "format", formats, format, setFormat)}
      {format === "csv" || format === "tsv" ? (
        <>
          {choice("Columns are separated by", "delimiter", delimiters, delimiter, setDelimiter)}
          {choice("The first row is", "header", headers, header, setHeader)}
        </>
      ) : null}
      {choice("Encoding", "encoding", encodings, encoding, setEncoding)}
      {column("Text column", "text", text, setText)}
      {columns.length === 2
        ? null
        : column("Second text, for pairs", "text-pair", second, setSecond, "none: single texts")}
      {column("Label column", "label", label, setLabel)}
      {label === SEVERAL ? null : (
        <div class="field">
          <label for={`${id}-separator`}>Between several labels</label>
          <input
            id={`${id}-separator`}
            data-testid="label-separator"
            value={separator}
            placeholder="nothing: one label a text"
            onInput={(event) => setSeparator(event.currentTarget.value)}
          />
        </div>
      )}
      <div class="field field-button">
        <button type="submit" data-testid="read-again" disabled={busy}>
          Read again
        </button>
      </div>
    </form>
  );
}
