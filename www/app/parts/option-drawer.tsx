/**
 * Enters: typed values and their errors. Leaves: a drawer with every setting of a run.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { type FieldValues, type OptionField, optionGroups } from "../options";

interface Props {
  values: FieldValues;
  errors: FieldValues;
  disabled: boolean;
  onChange: (name: string, value: string) => void;
  onReset: () => void;
}

export function OptionDrawer({ values, errors, disabled, onChange, onReset }: Props) {
  const [open, setOpen] = useState(false);
  const drawer = useRef<HTMLDetailsElement>(null);
  const wrong = Object.keys(errors)[0];
  const changed = Object.values(values).filter((value) => value.trim() !== "").length;

  useEffect(() => {
    if (!wrong || disabled) return;
    setOpen(true);
    drawer.current?.querySelector<HTMLElement>(`#option-${wrong}`)?.focus();
  }, [wrong, disabled]);

  return (
    <details
      ref={drawer}
      class="drawer"
      open={open || undefined}
      data-testid="options"
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        Options <span class="muted">{changed > 0 ? `${changed} changed` : "good defaults are set"}</span>
      </summary>
      {optionGroups.map((group) => (
        <fieldset key={group.title} class="option-group" disabled={disabled}>
          <legend>{group.title}</legend>
          <div class="option-grid">
            {group.fields.map((field) => (
              <Field
                key={field.name}
                field={field}
                value={values[field.name] ?? ""}
                error={errors[field.name]}
                onChange={(value) => onChange(field.name, value)}
              />
            ))}
          </div>
        </fieldset>
      ))}
      <button type="button" data-testid="options-reset" disabled={disabled || changed === 0} onClick={onReset}>
        Back to the defaults
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

function Field({ field, value, error, onChange }: FieldProps) {
  const id = `option-${field.name}`;
  const common = {
    id,
    "data-testid": id,
    "aria-describedby": error ? `${id}-error ${id}-help` : `${id}-help`,
    ...(error ? { "aria-invalid": true as const } : {}),
  };
  return (
    <div class={field.kind === "text" ? "field field-wide" : "field"}>
      <label for={id}>
        {field.label} {field.unit ? <span class="unit">{field.unit}</span> : null}
      </label>
      {field.kind === "select" ? (
        <select
          {...common}
          value={value || field.placeholder}
          onChange={(event) => {
            const { value: chosen } = event.currentTarget;
            onChange(chosen === field.placeholder ? "" : chosen);
          }}
        >
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
          inputMode={field.kind === "number" ? "decimal" : "text"}
          placeholder={field.placeholder}
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
