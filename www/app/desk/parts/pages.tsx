/** Searches a long list and shows one page of it, so that 10,000 rows stay fast. */
import { useId, useMemo, useState } from "preact/hooks";
import { count, counted } from "../../ui/format";

/** The rows that pass `isShown` and contain the words searched for; `textOf` gives what is searched. */
export function usePages<Row>(
  rows: readonly Row[],
  size: number,
  textOf: (row: Row) => string,
  isShown: (row: Row) => boolean = () => true,
) {
  const [page, setPage] = useState(0);
  const [query, setQuery] = useState("");
  const words = query.trim().toLowerCase();
  const found = useMemo(
    () => rows.filter((row) => isShown(row) && (words === "" || textOf(row).toLowerCase().includes(words))),
    [rows, words, textOf, isShown],
  );
  const last = Math.max(0, Math.ceil(found.length / size) - 1);
  const at = Math.min(page, last);
  return {
    found,
    shown: found.slice(at * size, (at + 1) * size),
    page: at,
    last,
    size,
    setPage,
    query,
    search: (next: string) => {
      setQuery(next);
      setPage(0);
    },
  };
}

type Pages = ReturnType<typeof usePages>;

export function Search({ pages, label, testId }: { pages: Pages; label: string; testId: string }) {
  const id = useId();
  return (
    <>
      <label class="sr-only" for={id}>
        {label}
      </label>
      <input
        id={id}
        class="search"
        type="search"
        placeholder="Search"
        data-testid={testId}
        value={pages.query}
        onInput={(event) => pages.search(event.currentTarget.value)}
      />
    </>
  );
}

export function Pager({ pages, noun, testId }: { pages: Pages; noun: string; testId: string }) {
  const { found, shown, page, last, size, setPage } = pages;
  const to = (target: number, name: string, label: string, words: string, disabled: boolean) => (
    <button
      type="button"
      data-testid={`${testId}-${name}`}
      aria-label={label}
      disabled={disabled}
      onClick={() => setPage(target)}
    >
      {words}
    </button>
  );
  return (
    <div class="row between">
      <p class="muted figures" data-testid={testId}>
        {found.length === 0
          ? `No ${noun} matches this search.`
          : `${count(page * size + 1)} to ${count(page * size + shown.length)} of ${counted(found.length, noun)}`}
      </p>
      {last > 0 ? (
        <div class="row">
          {to(0, "first", "First page", "«", page === 0)}
          {to(page - 1, "back", "Previous page", "Back", page === 0)}
          {to(page + 1, "next", "Next page", "Next", page === last)}
          {to(last, "last", "Last page", "»", page === last)}
        </div>
      ) : null}
    </div>
  );
}
