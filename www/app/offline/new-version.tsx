/** Announces a newer version of the page, which comes at a press and never into a run. */
import { useId } from "preact/hooks";
import "./new-version.css";

interface Props {
  /** A run goes on in this tab. */
  busy: boolean;
  onReload: () => void;
}

export function NewVersion({ busy, onReload }: Props) {
  const id = useId();
  return (
    <section class="new-version" aria-label="A new version" data-testid="new-version">
      <p role="status" id={id}>
        A new version of this page is ready.{" "}
        {busy ? "The run goes on in this one; reload when it has ended." : "Until you reload, this one stays as it is."}
      </p>
      <button
        type="button"
        data-testid="new-version-reload"
        aria-describedby={id}
        // Not the attribute `disabled`, which would take the keyboard focus away when a run starts.
        aria-disabled={busy}
        onClick={() => {
          if (!busy) onReload();
        }}
      >
        Reload
      </button>
    </section>
  );
}
