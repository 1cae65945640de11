/**
 * Enters: what may be done with all rows. Leaves: the buttons for it, and the wish to have them remembered.
 */
interface Props {
  /** Of the test ids: `clear-NAME`, `undo-NAME`, `save-NAME`. */
  name: "examples" | "texts";
  isEmpty: boolean;
  canUndo: boolean;
  canSave: boolean;
  remember: boolean;
  onClear: () => void;
  onUndo: () => void;
  onSave: () => void;
  onRemember: (on: boolean) => void;
}

export function RowsFooter(props: Props) {
  const { name, isEmpty, canUndo, canSave, remember } = props;
  return (
    <div class="row between">
      <div class="row">
        <button type="button" data-testid={`clear-${name}`} disabled={isEmpty} onClick={props.onClear}>
          Clear all
        </button>
        <button type="button" data-testid={`undo-${name}`} disabled={!canUndo} onClick={props.onUndo}>
          Undo
        </button>
        <button type="button" data-testid={`save-${name}`} disabled={!canSave} onClick={props.onSave}>
          Save as JSON lines
        </button>
      </div>
      <label class="check">
        <input
          type="checkbox"
          data-testid="remember"
          checked={remember}
          onChange={(event) => props.onRemember(event.currentTarget.checked)}
        />
        Remember on this device
      </label>
    </div>
  );
}
