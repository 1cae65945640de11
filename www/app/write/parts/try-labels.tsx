/** How likely both models find each label after a text. Nothing is trained for it. */
import { useState } from "preact/hooks";
import type { Choice } from "webtune";
import { type Drafts, useDraft } from "../../desk/store";
import { Alert } from "../../ui/alert";
import { messageOf } from "../../ui/format";
import { ProbabilityBars } from "../../ui/probability-bars";
import type { GenerateActions } from "../actions/generate";

interface Props {
  drafts: Drafts;
  actions: GenerateActions;
  /** The engine has other work. */
  busy: boolean;
}

export function TryLabels({ drafts, actions, busy }: Props) {
  const [text, setText] = useDraft(drafts, "label-text", "");
  const [typed, setTyped] = useDraft(drafts, "labels", "");
  const [ranked, setRanked] = useState<{ base: Choice; tuned?: Choice | undefined }>();
  const [error, setError] = useState<string>();
  const labels = typed
    .split(/[,\n]/)
    .map((label) => label.trim())
    .filter((label) => label !== "");

  const rank = async () => {
    setError(undefined);
    try {
      setRanked(await actions.rank(text, labels));
    } catch (failure) {
      setError(messageOf(failure));
    }
  };
  return (
    <details class="drawer" data-testid="labels-drawer">
      <summary>
        Labels instead of an answer <span class="muted">ranked by their likelihood after a text</span>
      </summary>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void rank();
        }}
      >
        <div class="field">
          <label for="label-text">Text to sort</label>
          <textarea
            id="label-text"
            data-testid="label-text"
            rows={2}
            placeholder="Where is my parcel?"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </div>
        <div class="field">
          <label for="labels">Labels, separated by commas</label>
          <input
            id="labels"
            type="text"
            data-testid="labels"
            autocomplete="off"
            placeholder="delivery, billing, returns"
            value={typed}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </div>
        <div class="row">
          <button type="submit" data-testid="rank" disabled={busy || text.trim() === "" || labels.length < 2}>
            Rank
          </button>
        </div>
        <Alert message={error} testId="labels-error" />
        {ranked ? (
          <div class="two-columns" aria-live="polite">
            <ProbabilityBars testId="ranked-base" title="Before tuning:" prediction={ranked.base} />
            {ranked.tuned ? (
              <ProbabilityBars testId="ranked-tuned" title="After tuning:" prediction={ranked.tuned} />
            ) : null}
          </div>
        ) : null}
      </form>
    </details>
  );
}
