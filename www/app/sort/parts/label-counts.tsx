/**
 * Enters: how many rows each label has, and what a person wrote of it. Leaves: one bar per label, and the words to edit.
 */
import { counted } from "../../ui/format";
import "../../ui/bars.css";

interface Props {
  labels: { label: string; count: number }[];
  descriptions: Record<string, string>;
  onDescribe: (label: string, description: string) => void;
}

export function LabelCounts({ labels, descriptions, onDescribe }: Props) {
  const most = Math.max(1, ...labels.map(({ count }) => count));
  const written = labels.filter(({ label }) => descriptions[label]?.trim()).length;
  return (
    <>
      <ul class="bars" aria-label="Examples per label" data-testid="label-counts">
        {labels.map(({ label, count }) => (
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
      <details class="drawer" data-testid="label-descriptions">
        <summary>
          Describe the labels <span class="muted">{written > 0 ? `${written} described` : "zero-shot reads this"}</span>
        </summary>
        <p class="help">
          The zero-shot baseline compares each text with these words, or with the label's name where there are none.
          They train nothing.
        </p>
        <div class="option-grid">
          {labels.map(({ label }, index) => (
            <div class="field" key={label}>
              <label for={`describe-${index}`}>{label}</label>
              <input
                id={`describe-${index}`}
                data-testid={`describe-${label}`}
                autocomplete="off"
                placeholder={label}
                value={descriptions[label] ?? ""}
                onInput={(event) => onDescribe(label, event.currentTarget.value)}
              />
            </div>
          ))}
        </div>
      </details>
    </>
  );
}
