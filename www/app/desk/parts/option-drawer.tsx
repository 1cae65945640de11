/** A drawer with every setting of a run, and what is wrong with each. */
import { useEffect, useState } from "preact/hooks";
import type { OptionField, OptionGroup } from "../options";
import { type FieldValues, isShown } from "../read-options";
import "./option-drawer.css";

/** What the drawer says of fields that are left empty. */
export interface DrawerWords {
  /** After the title if nothing is set, and if something is. */
  none: string;
  rest: string;
  help: string;
  /** In an empty field that has no words of its own. */
  empty: string;
  reset: string;
}

interface Props {
  groups: readonly OptionGroup[];
  words: DrawerWords;
  values: FieldValues;
  errors: FieldValues;
  disabled: boolean;
  /** Of the fields' ids: a page may have two drawers. */
  idPrefix?: string;
  onChange: (path: string, value: string) => void;
  onReset: () => void;
}

export function OptionDrawer({
  groups,
  words,
  values,
  errors,
  disabled,
  idPrefix = "option",
  onChange,
  onReset,
}: Props) {
  const [open, setOpen] = useState(false);
  const wrong = Object.keys(errors)[0];
  const changed = Object.values(values).filter((value) => value.trim() !== "").length;

  useEffect(() => {
    if (!wrong || disabled) return;
    setOpen(true);
    // Once the drawer is open: a closed one takes no focus.
    const frame = requestAnimationFrame(() => {
      const field = document.getElementById(`${idPrefix}-${wrong}`);
      field?.focus({ preventScroll: true });
      field?.scrollIntoView({ block: "nearest" });
    });
    return () => cancelAnimationFrame(frame);
  }, [wrong, disabled, idPrefix]);

  return (
    <details
      class="drawer"
      open={open || undefined}
      data-testid={`${idPrefix}s`}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        Options <span class="muted">{changed > 0 ? `${changed} set, ${words.rest}` : words.none}</span>
      </summary>
      <p class="help">{words.help}</p>
      {groups.map((group) => (
        <fieldset key={group.title} class="option-group" disabled={disabled}>
          <legend>{group.title}</legend>
          <div class="option-grid">
            {group.fields
              .filter((field) => isShown(field, values))
              .map((field) => (
                <Field
                  key={field.path}
                  field={field}
                  id={`${idPrefix}-${field.path}`}
                  empty={field.empty ?? words.empty}
                  value={values[field.path] ?? ""}
                  error={errors[field.path]}
                  onChange={(value) => onChange(field.path, value)}
                />
              ))}
          </div>
        </fieldset>
      ))}
      <button type="button" data-testid={`${idPrefix}s-reset`} disabled={disabled || changed === 0} onClick={onReset}>
        {words.reset}
      </button>
    </details>
  );
}

interface FieldProps {
  id: string;
  field: OptionField;
  empty: string;
  value: string;
  error: string | undefined;
  onChange: (value: string) => void;
}

const isWide = ({ kind }: OptionField): boolean => kind === "names" || kind === "pairs" || kind === "lines";

function Field({ id, field, empty, value, error, onChange }: FieldProps) {
  const common = {
    id,
    "data-testid": id,
    "aria-describedby": error ? `${id}-error ${id}-help` : `${id}-help`,
    ...(error ? { "aria-invalid": true as const } : {}),
  };
  return (
    <div class={isWide(field) ? "field field-wide" : "field"}>
      <label for={id}>
        {field.label} {field.unit ? <span class="unit">{field.unit}</span> : null}
      </label>
      {field.kind === "select" ? (
        <select {...common} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
          <option value="">{empty.charAt(0).toUpperCase() + empty.slice(1)}</option>
          {field.choices?.map((choice) => (
            <option key={choice.value} value={choice.value}>
              {choice.label}
            </option>
          ))}
        </select>
      ) : field.kind === "lines" ? (
        <textarea
          {...common}
          rows={2}
          placeholder={empty}
          value={value}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
      ) : (
        <input
          {...common}
          type="text"
          autocomplete="off"
          spellcheck={false}
          inputMode={field.kind === "number" ? "decimal" : "text"}
          placeholder={empty}
          value={value}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
      )}
      {error ? (
        <p id={`${id}-error`} class="field-error" data-testid={`${id}-error`}>
          {error}
        </p>
      ) : null}
      <p id={`${id}-help`} class="help">
        {field.help}
      </p>
    </div>
  );
}
