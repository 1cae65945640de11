/** One page of the texts. Each opens to what the model reads, with the learned part marked. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { LanguageModel, PreviewPiece } from "webtune";
import { Pager, Search, usePages } from "../../desk/parts/pages";
import { type FieldValues, readOptions } from "../../desk/read-options";
import { count, counted, messageOf } from "../../ui/format";
import { writeFields } from "../options";
import { kindOf, turnsOf } from "../rows";
import type { TextItem, WriteTypes } from "../state";
import { withLora } from "../task";
import "./text-list.css";
import "./turns.css";

const PAGE = 8;
/** Characters of a row's heading. */
const HEADING = 90;

const textOf = ({ content }: TextItem): string =>
  turnsOf(content)
    .map(({ text }) => text)
    .join("\n");

interface Props {
  items: TextItem[];
  /** Without one, a row's own parts are shown. */
  tuner: LanguageModel | undefined;
  options: FieldValues;
  /** A run is going on. */
  busy: boolean;
  onRemove: (id: number) => void;
}

export function TextList({ items, tuner, options, busy, onRemove }: Props) {
  const list = useRef<HTMLOListElement>(null);
  const pages = usePages(items, PAGE, textOf);
  const numbers = useMemo(() => new Map(items.map(({ id }, index) => [id, index + 1])), [items]);
  const remove = (index: number, gone: number) => {
    onRemove(gone);
    // The keyboard focus stays in the list.
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
              ? ". Open one to see what the model reads; the part that it learns to write is marked."
              : ". Once a model is loaded, each is shown as the model reads it."}
          </span>
        </p>
        <Search pages={pages} label="Search the texts" testId="texts-search" />
      </div>
      <ol class="texts" ref={list} data-testid="texts-list">
        {pages.shown.map((item, index) => (
          <Row
            key={item.id}
            item={item}
            number={numbers.get(item.id) ?? 0}
            tuner={tuner}
            options={options}
            busy={busy}
            onRemove={() => remove(index, item.id)}
          />
        ))}
      </ol>
      <Pager pages={pages} noun="text" testId="texts-page" />
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
  const { content } = item;
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
      {turnsOf(item.content).map(({ who, text, learnt }, index) => (
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
  tuner: LanguageModel;
  options: FieldValues;
  busy: boolean;
}) {
  const [shown, setShown] = useState<PreviewPiece[]>();
  const [error, setError] = useState<string>();
  useEffect(() => {
    // During a run the engine is busy; what was shown stays.
    if (busy) return;
    let isLatest = true;
    const settings = withLora(readOptions<WriteTypes["options"]>(writeFields, options).options);
    const { row, content } = item;
    tuner.preview({ row, content }, settings).then(
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
        {counted(tokens(false), "token")}, {count(tokens(true))} of them learned.
      </p>
    </>
  );
}
