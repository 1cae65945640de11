/**
 * Enters: how many rows each label has. Leaves: one bar per label.
 */
import { counted } from "../format";

export function LabelCounts({ labels }: { labels: { label: string; count: number }[] }) {
  const most = Math.max(1, ...labels.map(({ count }) => count));
  return (
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
  );
}
