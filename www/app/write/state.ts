/** The state of the desk that teaches a language model to write. */
import type {
  Completion,
  FewShot,
  LanguageEvent,
  LanguageModel,
  LanguageOptions,
  Likelihood,
  MemoryEstimate,
  ModelSource,
  ParsedText,
  WeightStorage,
} from "webtune";
import { type DeskState, emptyDesk } from "../desk/state";
import { Store } from "../desk/store";

export type EventOf<T extends LanguageEvent["type"]> = Extract<LanguageEvent, { type: T }>;

export type TextItem = ParsedText & { id: number };

/** A measurement on the validation texts, with the answers to the sample prompts. */
export interface Evaluated {
  step: number;
  epoch: number;
  likelihood: Likelihood;
  best: boolean;
  completions: Completion[];
}

/** What a language model's run reports besides its curves. */
export interface Findings {
  base: Likelihood | null;
  fewShot: FewShot | null;
  recipe: EventOf<"recipe">;
  /** Of the last steps. */
  tokensPerSecond: number;
}

export interface WriteTypes {
  tuner: LanguageModel;
  row: TextItem;
  options: LanguageOptions;
  event: LanguageEvent;
  started: EventOf<"started">;
  evaluation: Evaluated;
  findings: Findings;
  finished: EventOf<"finished">;
}

/** What a run would need if one setting was changed. */
export interface Remedy {
  /** "8-bit weights" */
  what: string;
  bytes: number;
}

/** What a run with the current settings would need. */
export interface Budget {
  /** By storage; without and with gradient checkpointing. */
  table: { storage: WeightStorage; plain: number; checkpointed: number }[];
  /** Of the chosen storage. */
  parts: MemoryEstimate;
  total: number;
  checkpointing: boolean;
  /** Most that may be planned for in this tab. */
  limit: number;
  /** A tensor that fits into memory, but not into a buffer of the graphics card. */
  tooLarge?: { bytes: number; limit: number; advice: string } | undefined;
  /** Single changes that need less; the one that costs the least comes first. */
  remedies: Remedy[];
  /** The settings in words. */
  settings: string;
}

export interface BudgetState {
  /** The model's config.json, once it was read. */
  config?: { source: ModelSource; name: string; bytes: Uint8Array } | undefined;
  found?: Budget | undefined;
  error?: string | undefined;
  reading: boolean;
}

/** A text as it is being written. */
export interface Writing {
  text: string;
  status: "waiting" | "writing" | "done" | "failed";
  /** Why it ended, and how fast it was. */
  note?: string | undefined;
}

export interface TryState {
  /** Of which result. */
  version: number;
  base?: Writing | undefined;
  tuned?: Writing | undefined;
  busy: boolean;
  error?: string | undefined;
}

export interface WriteState extends DeskState<WriteTypes> {
  budget: BudgetState;
  trying: TryState;
}

export class WriteStore extends Store<WriteState> {
  constructor() {
    super({ ...emptyDesk<WriteTypes>(), budget: { reading: false }, trying: { version: 0, busy: false } });
  }
}
