/**
 * Enters: all rows. Leaves: one page of them, each of which opens to the very text that the model reads, the learnt part marked.
 */
import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import type { LanguageTuner, PreviewPiece } from "webtune";
import type { FieldValues } from "../../desk/read-options";
import { count, counted, messageOf } from "../../ui/format";
import { kindOf, turnsOf } from "../rows";
import { settingsOf } from "../settings";
import type { TextItem } from "../state";
import "./text-list.css";
import "./turns.css";

const PAGE = 8;
/** Characters of a row's heading. */
const HEADING = 90;

interface Props {
  items: TextItem[];
  /** Without one, a row's own parts are shown. */
  tuner: LanguageTuner | undefined;
  options: FieldValues;
  /** The engine is at work on a run. */
  busy: boolean;
  onRemove: (id: number) => void;
}

export function TextList({ items, tuner, options, busy, onRemove }: Props) {
  const id = useId();
  const [page, setPage] = useState(0);
  const [query, setQuery] = useState("");
  const list = useRef<HTMLOListElement>(null);
  const kept = useMemo(() => {
    const words = query.trim().toLowerCase();
    const numbered = items.map((item, index) => ({ ...item, number: index + 1 }));
    if (words === "") return numbered;
    return numbered.filter(({ row }) => turnsOf(row.content).some(({ text }) => text.toLowerCase().includes(words)));
  }, [items, query]);
  const pages = Math.max(1, Math.ceil(kept.length / PAGE));
  const at = Math.min(page, pages - 1);
  const remove = (index: number, gone: number) => {
    onRemove(gone);
    // The keyboard's place stays in the list.
    requestAnimationFrame(() => {
      const headings = list.current?.querySelectorAll<HTMLElement>("summary");
      headings?.[Math.min(index, headings.length - 1)]?.focus({ preventScroll: true });
    });
  };

  return (
    <div class="stack">
      <div class="row between">
        <p>
          <strong data-testid="texts-count">{counted(items.length, "text")}</strong>
          <span class="muted">
            {tuner
              ? ". Open one to see what the model reads; what it learns to write is marked."
              : ". Once a model is loaded, each is shown as the model reads it."}
          </span>
        </p>
        <div>
          <label class="sr-only" for={`${id}-search`}>
            Search the texts
          </label>
          <input
            id={`${id}-search`}
            type="search"
            placeholder="Search"
            data-testid="texts-search"
            value={query}
            onInput={(event) => {
              setQuery(event.currentTarget.value);
              setPage(0);
            }}
          />
        </div>
      </div>
      <ol class="texts" ref={list} data-testid="texts-list">
        {kept.slice(at * PAGE, (at + 1) * PAGE).map((item, index) => (
          <Row
            key={item.id}
            item={item}
            number={item.number}
            tuner={tuner}
            options={options}
            busy={busy}
            onRemove={() => remove(index, item.id)}
          />
        ))}
      </ol>
      {kept.length === 0 ? <p class="muted">No text has these words.</p> : null}
      {pages > 1 ? (
        <div class="row center">
          <button type="button" data-testid="texts-previous" disabled={at === 0} onClick={() => setPage(at - 1)}>
            Previous
          </button>
          <span class="muted figures">
            Page {count(at + 1)} of {count(pages)}
          </span>
          <button type="button" data-testid="texts-next" disabled={at === pages - 1} onClick={() => setPage(at + 1)}>
            Next
          </button>
        </div>
      ) : null}
    </div>
  );
}

interface RowProps extends Omit<Props, "items" | "onRemove"> {
  item: TextItem;
  number: number;
  onRemove: () => void;
}

function Row({ item, number, tuner, options, busy, onRemove }: RowProps) {
  const [open, setOpen] = useState(false);
  const { content } = item.row;
  const first = turnsOf(content)[0]?.text.replace(/\s+/g, " ").trim() ?? "";
  const heading = first.length > HEADING ? `${first.slice(0, HEADING)}…` : first;
  return (
    <li class="text-item">
      <details class="drawer" onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary class="text-row" data-testid="text-row">
          <span class="text-number figures">{number}</span> {heading} <span class="muted">{kindOf(content)}</span>
        </summary>
        {open ? (
          <>
            {tuner ? <Rendered item={item} tuner={tuner} options={options} busy={busy} /> : <Turns item={item} />}
            <div class="row end">
              <button type="button" class="quiet" data-testid="remove-text" disabled={busy} onClick={onRemove}>
                Delete this text
              </button>
            </div>
          </>
        ) : null}
      </details>
    </li>
  );
}

function Turns({ item }: { item: TextItem }) {
  return (
    <dl class="turns" data-testid="text-turns">
      {turnsOf(item.row.content).map(({ who, text, learnt }, index) => (
        <div key={index}>
          <dt>{who}</dt>
          <dd>{learnt ? <mark>{text}</mark> : text}</dd>
        </div>
      ))}
    </dl>
  );
}

function Rendered({
  item,
  tuner,
  options,
  busy,
}: {
  item: TextItem;
  tuner: LanguageTuner;
  options: FieldValues;
  busy: boolean;
}) {
  const [shown, setShown] = useState<PreviewPiece[]>();
  const [error, setError] = useState<string>();
  useEffect(() => {
    // During a run the engine has other work; what was shown stays.
    if (busy) return;
    let isLatest = true;
    tuner.previewTextRow(item.row, settingsOf(options).options).then(
      (pieces) => {
        if (!isLatest) return;
        setShown(pieces);
        setError(undefined);
      },
      (failure: unknown) => isLatest && setError(messageOf(failure)),
    );
    return () => {
      isLatest = false;
    };
  }, [item, tuner, options, busy]);

  if (error) {
    return (
      <p class="note note-warn" data-testid="text-refused">
        {error}
      </p>
    );
  }
  if (!shown) return <p class="muted">{busy ? "Shown once the run has ended." : "Reading…"}</p>;
  const tokens = (learnt: boolean) =>
    shown.filter((piece) => piece.learnt || !learnt).reduce((sum, piece) => sum + piece.tokens, 0);
  return (
    <>
      <pre class="rendered" data-testid="text-rendered">
        {shown.map(({ text, learnt }, index) =>
          learnt ? <mark key={index}>{text}</mark> : <span key={index}>{text}</span>,
        )}
      </pre>
      <p class="help figures" data-testid="text-tokens">
        {counted(tokens(false), "token")}, {count(tokens(true))} of them learnt.
      </p>
    </>
  );
}
