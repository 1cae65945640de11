/** The difference of two runs on the same rows, its interval, and whether it is more than noise. */
import type { Comparison } from "webtune";
import { points } from "../../ui/format";

export interface Judgement {
  word: "within the noise" | "better" | "worse";
  tag: string;
}

export function judge({ difference, withinNoise }: Comparison): Judgement {
  if (withinNoise) return { word: "within the noise", tag: "tag tag-plain" };
  return difference > 0 ? { word: "better", tag: "tag" } : { word: "worse", tag: "tag tag-bad" };
}

export function Difference({ comparison, against }: { comparison: Comparison; against?: string }) {
  const { word, tag } = judge(comparison);
  return (
    <>
      {points(comparison.difference)} <span class={tag}>{word}</span>
      <span class="sub">
        {against ? `against ${against}: ` : ""}
        {points(comparison.low, "")} to {points(comparison.high, "")}
      </span>
    </>
  );
}
