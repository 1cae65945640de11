/** A choice of one among a few words, as radio buttons next to each other. */
import "./segments.css";
export interface Segment<Value extends string> {
  value: Value;
  label: string;
  /** Shown below while it is chosen. */
  help: string;
}

interface Props<Value extends string> {
  legend: string;
  /** Of the radio buttons; their test ids are `NAME-VALUE`. */
  name: string;
  choices: readonly Segment<Value>[];
  value: Value;
  disabled?: boolean;
  onChange: (value: Value) => void;
}

export function Segments<Value extends string>({ legend, name, choices, value, disabled, onChange }: Props<Value>) {
  return (
    <div class="segments-block">
      <fieldset class="segments" disabled={disabled} aria-describedby={`${name}-help`}>
        <legend>{legend}</legend>
        {choices.map((one) => (
          <label key={one.value}>
            <input
              type="radio"
              name={name}
              value={one.value}
              checked={value === one.value}
              data-testid={`${name}-${one.value}`}
              onChange={() => onChange(one.value)}
            />
            <span>{one.label}</span>
          </label>
        ))}
      </fieldset>
      <p class="help" id={`${name}-help`}>
        {choices.find((one) => one.value === value)?.help}
      </p>
    </div>
  );
}
