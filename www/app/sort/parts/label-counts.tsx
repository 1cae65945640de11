/** How many rows each label has, as bars, and the words that describe it to the zero-shot baseline. */
import { counted, count as format } from "../../ui/format";
import "../../ui/bars.css";

/** Labels shown at once: one input for each would freeze the page if a column of ids is chosen as the label. */
const MOST = 200;

interface Props {
  labels: { label: string; count: number }[];
  descriptions: ReadonlyMap<string, string>;
  onDescribe: (label: string, description: string) => void;
}

export function LabelCounts({ labels, descriptions, onDescribe }: Props) {
  const most = labels.reduce((largest, { count }) => Math.max(largest, count), 1);
  const written = labels.filter(({ label }) => descriptions.get(label)?.trim()).length;
  const shown = labels.slice(0, MOST);
  return (
    <>
      <ul class="bars" aria-label="Examples per label" data-testid="label-counts">
        {shown.map(({ label, count }) => (
          <li key={label}>
            <span class="bar-name" title={label}>
              {label}
            </span>
            <span class="bar" aria-hidden="true">
              <span class="bar-fill" style={{ width: `${(100 * count) / most}%` }} />
            </span>
            <span class="bar-value">
              {counted(count, "row")}
              {count < 2 ? <span class="tag tag-warn">too few</span> : null}
            </span>
          </li>
        ))}
      </ul>
      {labels.length > MOST ? (
        <p class="muted" data-testid="labels-left-out">
          And {format(labels.length - MOST)} more labels.
        </p>
      ) : null}
      <details class="drawer" data-testid="label-descriptions">
        <summary>
          Describe the labels <span class="muted">{written > 0 ? `${written} described` : "for zero-shot"}</span>
        </summary>
        <p class="help">
          The zero-shot baseline compares each text with these words, or with the label's name if there are none. They
          are not used for training.
        </p>
        <div class="option-grid">
          {shown.map(({ label }, index) => (
            <div class="field" key={label}>
              <label for={`describe-${index}`}>{label}</label>
              <input
                id={`describe-${index}`}
                data-testid={`describe-${label}`}
                autocomplete="off"
                placeholder={label}
                value={descriptions.get(label) ?? ""}
                onInput={(event) => onDescribe(label, event.currentTarget.value)}
              />
            </div>
          ))}
        </div>
      </details>
    </>
  );
}
