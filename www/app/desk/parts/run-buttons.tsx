/** The buttons that start, pause and stop a run. The keyboard focus stays among them as they come and go. */
import { useKeptFocus } from "../../ui/kept-focus";
import type { RunStatus } from "../state";

interface Props {
  status: RunStatus;
  actions: { pause(): void; resume(): void; stop(): void };
  /** Something was tuned before. */
  again: boolean;
  /** Everything that a run needs is there. */
  ready: boolean;
  onStart: () => void;
}

export function RunButtons({ status, actions, again, ready, onStart }: Props) {
  const row = useKeptFocus(status);
  const canStop = status === "running" || status === "paused";
  return (
    <div class="row" ref={row} tabIndex={-1}>
      {status === "idle" ? (
        <button
          type="button"
          class={ready && !again ? "primary" : ""}
          data-testid="start"
          disabled={!ready}
          onClick={onStart}
        >
          {again ? "Train again" : "Start training"}
        </button>
      ) : (
        <>
          {status === "paused" ? (
            <button type="button" class="primary" data-testid="resume" onClick={() => actions.resume()}>
              Resume
            </button>
          ) : (
            <button type="button" data-testid="pause" disabled={status !== "running"} onClick={() => actions.pause()}>
              Pause
            </button>
          )}
          <button type="button" data-testid="stop" disabled={!canStop} onClick={() => actions.stop()}>
            Stop and keep the best
          </button>
        </>
      )}
    </div>
  );
}
