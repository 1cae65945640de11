/** What classifiers are compared by: the share of right rows, or micro F1 where a text may have several labels. */
import type { Report } from "webtune";

export interface Score {
  value: number;
  /** Whether a text may have several labels. */
  several: boolean;
  title: string;
}

export function scoreOf({ accuracy, microF1 }: Pick<Report, "accuracy" | "microF1">): Score {
  // records of earlier versions have no such field
  if (microF1 === null || microF1 === undefined) return { value: accuracy, several: false, title: "Accuracy" };
  return { value: microF1, several: true, title: "Micro F1" };
}
