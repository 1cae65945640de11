/**
 * Enters: typed values and their errors. Leaves: a drawer with every setting of a run.
 */
import { useEffect, useState } from "preact/hooks";
import { type OptionField, optionGroups } from "../options";
import { type FieldValues, isShown } from "../read-options";

interface Props {
  values: FieldValues;
  errors: FieldValues;
  disabled: boolean;
  onChange: (path: string, value: string) => void;
  onReset: () => void;
}

export function OptionDrawer({ values, errors, disabled, onChange, onReset }: Props) {
  const [open, setOpen] = useState(false);
  const wrong = Object.keys(errors)[0];
  const changed = Object.values(values).filter((value) => value.trim() !== "").length;

  useEffect(() => {
    if (!wrong || disabled) return;
    setOpen(true);
    // Once the drawer is open, as what is folded away takes no focus.
    const frame = requestAnimationFrame(() => {
      const field = document.getElementById(`option-${wrong}`);
      field?.focus({ preventScroll: true });
      field?.scrollIntoView({ block: "nearest" });
    });
    return () => cancelAnimationFrame(frame);
  }, [wrong, disabled]);

  return (
    <details
      class="drawer"
      open={open || undefined}
      data-testid="options"
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        Options <span class="muted">{changed > 0 ? `${changed} set, the rest by recipe` : "all by recipe"}</span>
      </summary>
      <p class="help">
        What is left empty, the recipe decides from your examples and this device. It says what it chose when a run
        starts.
      </p>
      {optionGroups.map((group) => (
        <fieldset key={group.title} class="option-group" disabled={disabled}>
          <legend>{group.title}</legend>
          <div class="option-grid">
            {group.fields
              .filter((field) => isShown(field, values))
              .map((field) => (
                <Field
                  key={field.path}
                  field={field}
                  value={values[field.path] ?? ""}
                  error={errors[field.path]}
                  onChange={(value) => onChange(field.path, value)}
                />
              ))}
          </div>
        </fieldset>
      ))}
      <button type="button" data-testid="options-reset" disabled={disabled || changed === 0} onClick={onReset}>
        Back to the recipe alone
      </button>
    </details>
  );
}

interface FieldProps {
  field: OptionField;
  value: string;
  error: string | undefined;
  onChange: (value: string) => void;
}

const isWide = ({ kind }: OptionField): boolean => kind === "names" || kind === "pairs";

function Field({ field, value, error, onChange }: FieldProps) {
  const id = `option-${field.path}`;
  const empty = field.empty ?? "recipe decides";
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
