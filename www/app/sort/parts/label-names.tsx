/** Asks for the names of labels that an imported adapter lacks. */
import { useId, useState } from "preact/hooks";

interface Props {
  /** As they are called until then. */
  labels: readonly string[];
  disabled: boolean;
  onName: (typed: string) => void;
}

export function LabelNames({ labels, disabled, onName }: Props) {
  const [typed, setTyped] = useState("");
  const help = useId();
  return (
    <form
      class="stack"
      data-testid="label-names-form"
      onSubmit={(event) => {
        event.preventDefault();
        onName(typed);
      }}
    >
      <div class="field">
        <label for="label-names">Names of its {labels.length} labels</label>
        <textarea
          id="label-names"
          data-testid="label-names"
          rows={2}
          placeholder={labels.join(", ")}
          aria-describedby={help}
          disabled={disabled}
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <p class="help" id={help}>
          The adapter's files do not name its labels; until you do, they are called {labels.join(", ")}. In the order of
          the model's outputs, separated by commas or one per line.
        </p>
      </div>
      <div class="row">
        <button type="submit" data-testid="label-names-take" disabled={disabled || typed.trim() === ""}>
          Name the labels
        </button>
      </div>
    </form>
  );
}
