/**
 * Enters: where a run stands. Leaves: the buttons that start, pause and stop it, with the keyboard's place kept among them.
 */

import type { RunStatus } from "../../sort/state";
import { useKeptFocus } from "../../ui/kept-focus";
import type { RunControls } from "../run-controls";

interface Props {
  status: RunStatus;
  controls: Pick<RunControls<unknown>, "pause" | "resume" | "stop">;
  /** Something has been tuned already. */
  again: boolean;
  /** What a run needs is there. */
  ready: boolean;
  onStart: () => void;
}

export function RunButtons({ status, controls, again, ready, onStart }: Props) {
  const row = useKeptFocus(status);
  return (
    <div class="row" ref={row} tabIndex={-1}>
      {status !== "idle" ? (
        <>
          {status === "paused" ? (
            <button type="button" class="primary" data-testid="resume" onClick={() => controls.resume()}>
              Resume
            </button>
          ) : (
            <button type="button" data-testid="pause" disabled={status !== "running"} onClick={() => controls.pause()}>
              Pause
            </button>
          )}
          <button
            type="button"
            data-testid="stop"
            disabled={status !== "running" && status !== "paused"}
            onClick={() => controls.stop()}
          >
            Stop and keep the best
          </button>
        </>
      ) : (
        <button
          type="button"
          class={ready && !again ? "primary" : ""}
          data-testid="start"
          disabled={!ready}
          onClick={onStart}
        >
          {again ? "Train again" : "Start training"}
        </button>
      )}
    </div>
  );
}
