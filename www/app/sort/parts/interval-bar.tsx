/** A share and its interval as a dot on a whisker; the figures are next to it as text. */
import type { Report } from "webtune";
import "./interval-bar.css";

interface Props {
  report: Report;
  /** The left end of the axis; the right end is 1. */
  from: number;
  strong?: boolean;
}

export function IntervalBar({ report: { accuracy, interval }, from, strong = false }: Props) {
  const place = (share: number): string => `${(100 * (share - from)) / (1 - from)}%`;
  const [low, high] = interval;
  return (
    <span class={strong ? "whisker whisker-strong" : "whisker"} aria-hidden="true">
      <span class="whisker-line" style={{ left: place(low), width: `${(100 * (high - low)) / (1 - from)}%` }} />
      <span class="whisker-dot" style={{ left: place(accuracy) }} />
    </span>
  );
}

/** One axis for all, so that bars can be compared by eye. */
export const axisFrom = (reports: readonly Report[]): number =>
  Math.min(0.9, Math.floor(10 * reports.reduce((low, { interval }) => Math.min(low, interval[0]), 1)) / 10);
