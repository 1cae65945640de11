/**
 * Enters: where a run stands. Leaves: its settings, its buttons, and how it goes or how it ended.
 */

import type { OptionGroup } from "../../sort/options";
import { Alert } from "../../ui/alert";
import { ProgressLine } from "../../ui/progress-line";
import type { Controlled, RunControls } from "../run-controls";
import { type DrawerWords, OptionDrawer } from "./option-drawer";
import { RunButtons } from "./run-buttons";

interface Props<Event> {
  groups: readonly OptionGroup[];
  words: DrawerWords;
  run: Controlled;
  controls: RunControls<Event>;
  /** What a run needs is there. */
  ready: boolean;
  progress: { text: string; share?: number };
  finished: { reason: string; message: string } | undefined;
  onStart: () => void;
}

export function RunPanel<Event>(props: Props<Event>) {
  const { groups, words, run, controls, ready, progress, finished, onStart } = props;
  const busy = run.status !== "idle";
  return (
    <>
      <OptionDrawer
        groups={groups}
        words={words}
        values={run.options}
        errors={run.fieldErrors}
        disabled={busy}
        onChange={(path, value) => controls.setOption(path, value)}
        onReset={() => controls.resetOptions()}
      />
      <RunButtons
        status={run.status}
        controls={controls}
        again={finished !== undefined}
        ready={ready}
        onStart={onStart}
      />
      <Alert message={run.error} testId="train-error" />
      {busy ? (
        <ProgressLine testId="train-progress" label="Training" text={progress.text} share={progress.share} />
      ) : finished ? (
        <p
          class={finished.reason === "diverged" ? "note note-warn" : "note note-good"}
          data-testid="train-finished"
          data-reason={finished.reason}
        >
          {finished.message}
        </p>
      ) : null}
    </>
  );
}
