/** The examples as a table: one page of editable rows, searched and filtered. */
import { useCallback, useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import { Pager, Search, usePages } from "../../desk/parts/pages";
import { count } from "../../ui/format";
import type { ExampleActions } from "../actions/examples";
import { arePairs, type Checked, type Mark, type Row } from "../checks";
import { labelFrom, namesOf, wordsOf, writtenOf } from "../labels";
import "./table-editor.css";

/** Rows on a page; on a phone each row is two lines high. */
const PAGE = window.matchMedia("(max-width: 560px)").matches ? 10 : 25;
/** Labels offered as filters and completions. */
const MOST_LABELS = 200;
const markWords: Record<Mark, string> = {
  empty: "not used: empty",
  duplicate: "repeated",
  conflict: "other label above",
};

const textOf = ({ text, textPair = "", label }: Row): string => `${text}\n${textPair}\n${wordsOf(label)}`;

interface Props {
  rows: Row[];
  checked: Checked;
  actions: ExampleActions;
}

export function TableEditor({ rows, checked, actions }: Props) {
  const id = useId();
  const [show, setShow] = useState("all");
  // A row to move the focus to once it is on the page.
  const [focus, setFocus] = useState<number>();
  const body = useRef<HTMLTableSectionElement>(null);
  const isShown = useCallback(
    (row: Row) => {
      if (show === "marked") return checked.marks.has(row.id);
      return show === "all" || namesOf(row.label).includes(show.slice("label:".length));
    },
    [checked, show],
  );
  const pages = usePages(rows, PAGE, textOf, isShown);
  const numbers = useMemo(() => new Map(rows.map((row, index) => [row.id, index + 1])), [rows]);
  const pairs = useMemo(() => arePairs(rows), [rows]);
  const labels = checked.labels.slice(0, MOST_LABELS);

  useEffect(() => {
    if (focus === undefined) return;
    const field = body.current?.querySelector<HTMLElement>(`[data-row="${focus}"] textarea`);
    field?.focus({ preventScroll: true });
    field?.scrollIntoView({ block: "nearest" });
    setFocus(undefined);
  }, [focus]);

  const add = () => {
    setShow("all");
    pages.search("");
    pages.setPage(Math.floor(rows.length / PAGE));
    setFocus(actions.add());
  };
  const remove = (index: number, row: Row) => {
    const next = pages.shown[index + 1] ?? pages.shown[index - 1];
    actions.remove(row.id);
    if (next) setFocus(next.id);
  };

  return (
    <div class="table-editor">
      <div class="row between">
        <div class="row">
          <Search pages={pages} label="Search the examples" testId="table-search" />
          <label class="sr-only" for={`${id}-show`}>
            Rows to show
          </label>
          <select
            id={`${id}-show`}
            data-testid="table-filter"
            value={show}
            onChange={(event) => {
              setShow(event.currentTarget.value);
              pages.setPage(0);
            }}
          >
            <option value="all">All rows</option>
            <option value="marked">Marked rows ({count(checked.marks.size)})</option>
            {labels.map(({ label }) => (
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
        {labels.map(({ label }) => (
          <option key={label} value={label} />
        ))}
      </datalist>
      <table class="examples-table" data-testid="examples-table">
        <caption class="sr-only">
          Examples, page {pages.page + 1} of {pages.last + 1}; every cell can be edited
        </caption>
        <thead>
          <tr>
            <th scope="col" class="narrow">
              Row
            </th>
            <th scope="col">{pairs ? "Texts" : "Text"}</th>
            <th scope="col" class="label-column">
              {checked.several ? "Labels, with | between" : "Label"}
            </th>
            <th scope="col" class="narrow">
              <span class="sr-only">Delete</span>
            </th>
          </tr>
        </thead>
        <tbody ref={body}>
          {pages.shown.map((row, index) => {
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
                    onInput={(event) => actions.edit(row.id, { text: event.currentTarget.value })}
                  />
                  {pairs ? (
                    <textarea
                      rows={1}
                      class="second-text"
                      aria-label={`Second text of row ${number}`}
                      value={row.textPair ?? ""}
                      onInput={(event) => actions.edit(row.id, { textPair: event.currentTarget.value })}
                    />
                  ) : null}
                  {mark ? <span class="tag tag-warn">{markWords[mark]}</span> : null}
                </td>
                <td class="label-column">
                  <input
                    aria-label={`Label of row ${number}`}
                    list={`${id}-labels`}
                    value={writtenOf(row.label)}
                    placeholder={typeof row.label === "string" ? "" : "no label"}
                    onInput={(event) =>
                      actions.edit(row.id, { label: labelFrom(event.currentTarget.value, row.label) })
                    }
                  />
                  {typeof row.label === "string" ? null : (
                    <span class="chips" data-testid="label-chips">
                      {namesOf(row.label).map((name) => (
                        <span class="tag tag-plain" key={name}>
                          {name}
                        </span>
                      ))}
                    </span>
                  )}
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
      <Pager pages={pages} noun="row" testId="table-page" />
    </div>
  );
}
