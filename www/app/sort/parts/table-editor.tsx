/**
 * Enters: all rows and their marks. Leaves: one page of editable rows, so that 10,000 rows stay fast.
 */
import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import { count, counted } from "../../ui/format";
import type { Checked, Mark, Row } from "../checks";
import "./table-editor.css";

/** Rows on a page; on a phone each row is two lines high. */
const PAGE = window.matchMedia("(max-width: 560px)").matches ? 10 : 25;
const markWords: Record<Mark, string> = {
  empty: "not used: empty",
  duplicate: "repeated",
  conflict: "other label before",
};

interface Props {
  rows: Row[];
  checked: Checked;
  onEdit: (id: number, change: Partial<Pick<Row, "text" | "label">>) => void;
  onAdd: () => number;
  onRemove: (ids: ReadonlySet<number>) => void;
}

export function TableEditor({ rows, checked, onEdit, onAdd, onRemove }: Props) {
  const id = useId();
  const [page, setPage] = useState(0);
  const [query, setQuery] = useState("");
  const [show, setShow] = useState("all");
  // A row to move the focus to once it stands on the page.
  const [focus, setFocus] = useState<number>();
  const body = useRef<HTMLTableSectionElement>(null);

  const numbers = useMemo(() => new Map(rows.map((row, index) => [row.id, index + 1])), [rows]);
  const kept = useMemo(() => {
    const words = query.trim().toLowerCase();
    return rows.filter((row) => {
      if (show === "marked" && !checked.marks.has(row.id)) return false;
      if (show.startsWith("label:") && row.label.trim() !== show.slice(6)) return false;
      return words === "" || row.text.toLowerCase().includes(words) || row.label.toLowerCase().includes(words);
    });
  }, [rows, checked, query, show]);
  const pages = Math.max(1, Math.ceil(kept.length / PAGE));
  const at = Math.min(page, pages - 1);
  const shown = kept.slice(at * PAGE, (at + 1) * PAGE);

  useEffect(() => {
    if (focus === undefined) return;
    const field = body.current?.querySelector<HTMLElement>(`[data-row="${focus}"] textarea`);
    field?.focus({ preventScroll: true });
    field?.scrollIntoView({ block: "nearest" });
    setFocus(undefined);
  }, [focus]);

  const add = () => {
    setQuery("");
    setShow("all");
    setPage(Math.floor(rows.length / PAGE));
    setFocus(onAdd());
  };
  const remove = (index: number, row: Row) => {
    const next = shown[index + 1] ?? shown[index - 1];
    onRemove(new Set([row.id]));
    if (next) setFocus(next.id);
  };
  const marked = checked.marks.size;

  return (
    <div class="table-editor">
      <div class="row between">
        <div class="row">
          <label class="sr-only" for={`${id}-search`}>
            Search the examples
          </label>
          <input
            id={`${id}-search`}
            type="search"
            placeholder="Search"
            data-testid="table-search"
            value={query}
            onInput={(event) => {
              setQuery(event.currentTarget.value);
              setPage(0);
            }}
          />
          <label class="sr-only" for={`${id}-show`}>
            Rows to show
          </label>
          <select
            id={`${id}-show`}
            data-testid="table-filter"
            value={show}
            onChange={(event) => {
              setShow(event.currentTarget.value);
              setPage(0);
            }}
          >
            <option value="all">All rows</option>
            <option value="marked">Marked rows ({count(marked)})</option>
            {checked.labels.map(({ label }) => (
              <option key={label} value={`label:${label}`}>
                Label: {label}
              </option>
            ))}
          </select>
        </div>
        <button type="button" data-testid="add-row" onClick={add}>
          Add a row
        </button>
      </div>
      <datalist id={`${id}-labels`}>
        {checked.labels.map(({ label }) => (
          <option key={label} value={label} />
        ))}
      </datalist>
      <table class="examples-table" data-testid="examples-table">
        <caption class="sr-only">
          Examples, page {at + 1} of {pages}; every cell can be edited
        </caption>
        <thead>
          <tr>
            <th scope="col" class="narrow">
              Row
            </th>
            <th scope="col">Text</th>
            <th scope="col" class="label-column">
              Label
            </th>
            <th scope="col" class="narrow">
              <span class="sr-only">Delete</span>
            </th>
          </tr>
        </thead>
        <tbody ref={body}>
          {shown.map((row, index) => {
            const number = numbers.get(row.id) ?? 0;
            const mark = checked.marks.get(row.id);
            return (
              <tr key={row.id} data-row={row.id} data-testid="example-row" {...(mark ? { "data-mark": mark } : {})}>
                <td class="narrow muted figures">{count(number)}</td>
                <td>
                  <textarea
                    rows={1}
                    aria-label={`Text of row ${number}`}
                    value={row.text}
                    onInput={(event) => onEdit(row.id, { text: event.currentTarget.value })}
                  />
                  {mark ? <span class="tag tag-warn">{markWords[mark]}</span> : null}
                </td>
                <td class="label-column">
                  <input
                    aria-label={`Label of row ${number}`}
                    list={`${id}-labels`}
                    value={row.label}
                    onInput={(event) => onEdit(row.id, { label: event.currentTarget.value })}
                  />
                </td>
                <td class="narrow">
                  <button
                    type="button"
                    class="quiet icon"
                    aria-label={`Delete row ${number}`}
                    onClick={() => remove(index, row)}
                  >
                    ×
                  </button>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {kept.length === 0 ? <p class="muted">No row fits this search.</p> : null}
      <div class="row between">
        <p class="muted figures" data-testid="table-page">
          {kept.length === 0
            ? "0 rows"
            : `${count(at * PAGE + 1)} to ${count(at * PAGE + shown.length)} of ${counted(kept.length, "row")}`}
        </p>
        {pages > 1 ? (
          <div class="row">
            <button
              type="button"
              data-testid="page-first"
              disabled={at === 0}
              onClick={() => setPage(0)}
              aria-label="First page"
            >
              «
            </button>
            <button type="button" data-testid="page-back" disabled={at === 0} onClick={() => setPage(at - 1)}>
              Back
            </button>
            <button type="button" data-testid="page-next" disabled={at >= pages - 1} onClick={() => setPage(at + 1)}>
              Next
            </button>
            <button
              type="button"
              data-testid="page-last"
              disabled={at >= pages - 1}
              onClick={() => setPage(pages - 1)}
              aria-label="Last page"
            >
              »
            </button>
          </div>
        ) : null}
      </div>
    </div>
  );
}
