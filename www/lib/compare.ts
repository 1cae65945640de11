/**
 * Enters: which rows two runs labelled rightly. Leaves: how far they differ, and whether that is more than noise.
 */
import type { Comparison } from "./protocol.js";
import { sharedLink } from "./shared.js";

/**
 * Run B against run A on the same rows, by a paired bootstrap. Of two records, give their `correct`, and only where their
 * `itemsKey` is the same.
 *
 * @throws WebtuneError `invalidData` where the two have different lengths or no rows.
 */
export function compareRuns(a: readonly boolean[], b: readonly boolean[]): Promise<Comparison> {
  return sharedLink().call("compare", [[...a], [...b]]).answer;
}
