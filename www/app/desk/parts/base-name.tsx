/** Asks how exported files shall name their base model, where the name that it was loaded by leads nowhere elsewhere. */
import { useId, useRef } from "preact/hooks";
import type { BaseName } from "webtune";
import { chosenBase } from "../base-name";
import type { ModelState } from "../state";

interface Props {
  model: Pick<ModelState, "base" | "baseName">;
  disabled: boolean;
  onChange: (baseName: string) => void;
}

export function BaseNameField({ model, disabled, onChange }: Props) {
  const { base, baseName = "" } = model;
  const help = useId();
  const input = useRef<HTMLInputElement>(null);
  if (!base) return null;
  return (
    <details class="drawer" open={!base.isKnown} data-testid="base-drawer">
      <summary>
        Base model in the files <span class="muted">{chosenBase(model) ?? base.name}</span>
      </summary>
      <div class="field">
        <label for="base-name">Where others load the base model from</label>
        <input
          ref={input}
          id="base-name"
          type="text"
          data-testid="base-name"
          autocomplete="off"
          spellcheck={false}
          placeholder={base.isKnown ? base.name : "owner/name"}
          aria-describedby={help}
          disabled={disabled}
          value={baseName}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
        <p class="help" id={help} data-testid="base-help">
          {helpOf(base)}
        </p>
        {base.suggestion && base.suggestion !== baseName ? (
          <div class="row tight">
            <button
              type="button"
              data-testid="base-suggestion"
              disabled={disabled}
              onClick={() => {
                onChange(base.suggestion ?? "");
                // The pressed button goes, and the keyboard's place moves to what it filled.
                input.current?.focus();
              }}
            >
              Use {base.suggestion}
            </button>
            <span class="help">
              Named in config.json. Right if your files are a copy of it; wrong if they were tuned from it.
            </span>
          </div>
        ) : null}
      </div>
    </details>
  );
}

function helpOf({ name, isKnown }: BaseName): string {
  const use =
    "A repository on Hugging Face, or a folder where the files will be used: PEFT and other libraries look there.";
  if (isKnown) return `${use} Left empty, it is ${name}.`;
  return `${use} Left empty, the files say "${name}", as the model is called here, and their README says where to edit that.`;
}
