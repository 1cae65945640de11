/**
 * Enters: a run's events. Leaves: one plain object with its settings and measures, which outlives the run and can be compared.
 * It holds no text of any example.
 */
import type { Baselines, Comparison, Forgetting, GroupRate, Report, ResolvedOptions, SeedSummary } from "./protocol.js";

/** What is kept of a run; JSON throughout. */
export interface RunRecord {
  /** Counts up when a field changes its meaning. */
  version: 1;
  id: string;
  /** Given by a person; at first method and data. */
  name: string;
  /** ISO 8601. */
  createdAt: string;
  /** Repository id or folder name of the base model. */
  model: string;
  device: "webgpu" | "cpu";
  /** Of the examples: a file's name, never its rows. */
  data: string;
  options: ResolvedOptions;
  /** One sentence per choice that a recipe made. */
  reasons: string[];
  labels: string[];
  trainRows: number;
  validationRows: number;
  /** Runs with the same value were judged on the same rows, and only those can be compared row by row. */
  itemsKey: string;
  /** One entry per row of `itemsKey`: whether the tuned model labelled it rightly. */
  correct: boolean[];
  tuned: Report;
  baselines: Baselines;
  bestBaseline: keyof Baselines;
  comparison: Comparison;
  verdict: string;
  forgetting: Forgetting;
  trainedParameters: number;
  totalParameters: number;
  exportBytes: number;
  /** From the call to the last event. */
  seconds: number;
  msPerStep: number | null;
  steps: number;
  keptEpoch: number;
  keptStage: "probe" | "contrastive" | "classify";
  reason: string;
  curve: { step: number; loss: number }[];
  evaluations: { step: number; epoch: number; stage: "contrastive" | "classify"; accuracy: number; loss: number }[];
  /** Rates and frozen groups at the steps where they were noted. */
  rates: { step: number; groups: GroupRate[] }[];
  seeds?: SeedSummary;
  /** Only where a person asked for texts in the file. */
  rows?: { text: string; label: string; predicted: string }[];
}
