/**
 * Enters: presses of pause, resume, stop, and the drawer's fields. Leaves: the run steered, and its state in the store.
 */
import type { TrainingRun } from "webtune";
import type { OptionField } from "../sort/options";
import type { RunStatus } from "../sort/state";
import { codeOf, messageOf } from "../ui/format";
import { type FieldValues, fieldOfMessage } from "./read-options";

/** What stands before the words on a run's progress. */
export const statusWords: Record<RunStatus, string> = {
  idle: "",
  starting: "Starting. ",
  running: "",
  paused: "Paused. ",
  stopping: "Stopping. ",
};

/** The part of a run's state that is the same for everything that trains. */
export interface Controlled {
  status: RunStatus;
  options: FieldValues;
  fieldErrors: FieldValues;
  error?: string | undefined;
}

/** What a run's failure depends on. */
export interface Failing {
  fields: readonly OptionField[];
  /** The engine is gone, and with it the model. */
  crashed: () => void;
  /** What was tuned before can still be exported. */
  kept: () => boolean;
  /** The engine had taken rows and options, and so let go of what it held. */
  hasStarted: boolean;
  /** Puts the result of the run before back into the engine; undefined where there is none. */
  restore: (() => Promise<void>) | undefined;
}

interface Place {
  read(): Controlled;
  write(change: Partial<Controlled>): void;
  announce(text: string): void;
}

export class RunControls<Event> {
  /** The run that goes on. */
  run: TrainingRun<Event> | undefined;

  constructor(
    private readonly place: Place,
    /** A pause's time says nothing of the work. */
    private readonly onResume: () => void,
  ) {}

  pause(): void {
    this.run?.pause();
    this.place.write({ status: "paused" });
    this.place.announce("Training is paused.");
  }

  resume(): void {
    this.onResume();
    this.run?.resume();
    this.place.write({ status: "running" });
    this.place.announce("Training goes on.");
  }

  stop(): void {
    // A paused run would not reach its end.
    if (this.place.read().status === "paused") this.run?.resume();
    this.run?.stop();
    this.place.write({ status: "stopping" });
    this.place.announce("Training stops after this step; the best state so far is kept.");
  }

  /** Tells what went wrong and where, and brings back what was tuned before. */
  async fail(error: unknown, { fields, crashed, kept, hasStarted, restore }: Failing): Promise<void> {
    const message = messageOf(error);
    if (codeOf(error) === "crashed") {
      crashed();
      const rest = kept() ? "; what was tuned before can still be exported" : "";
      this.place.write({ error: `${message} Load the model again to go on${rest}.` });
      return;
    }
    const field = codeOf(error) === "invalidOption" ? fieldOfMessage(fields, message) : undefined;
    this.place.write({ error: message, fieldErrors: field ? { [field.path]: field.reason } : {} });
    if (!hasStarted || !restore) return;
    try {
      await restore();
    } catch (second) {
      if (codeOf(second) === "crashed") crashed();
      this.place.write({
        error: `${message} The result of the run before can still be exported, but not tried: ${messageOf(second)}`,
      });
    }
  }

  /** Where fields cannot be read, no run begins. */
  refuse(fieldErrors: FieldValues): void {
    this.place.write({ fieldErrors, error: "Some options cannot be read; they are marked in the options." });
  }

  setOption(path: string, value: string): void {
    const { options, fieldErrors } = this.place.read();
    const { [path]: _gone, ...rest } = fieldErrors;
    this.place.write({ options: { ...options, [path]: value }, fieldErrors: rest });
  }

  resetOptions(): void {
    this.place.write({ options: {}, fieldErrors: {} });
  }
}
