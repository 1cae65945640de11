/** Where a model may come from: one of three choices, with its fields. */
import type { TargetedInputEvent } from "preact";
import { DropZone } from "../../ui/drop-zone";
import { FileButton } from "../../ui/file-button";
import type { Folder } from "../../ui/files";
import { bytes, counted } from "../../ui/format";
import type { SourceForm } from "../source-form";
import "../../ui/choices.css";

/** One of the ways to a model, in words. */
export interface Way {
  kind: SourceForm["kind"];
  title: string;
  text: string;
}

interface Props {
  ways: readonly Way[];
  /** A repository id. */
  example: string;
  form: SourceForm;
  disabled: boolean;
  onChange: (form: SourceForm) => void;
  onFolder: (folder: Folder) => void;
  onError: (message: string) => void;
}

export function ModelSourceFields({ ways, example, form, disabled, onChange, onFolder, onError }: Props) {
  const set = (change: Partial<SourceForm>) => onChange({ ...form, ...change });
  const text = (key: "address" | "revision" | "hubUrl" | "accessToken", label: string, placeholder: string) => {
    const common = {
      id: `model-${key}`,
      "data-testid": `model-${key}`,
      autocomplete: "off",
      spellcheck: false,
      placeholder,
      value: form[key],
      onInput: (event: TargetedInputEvent<HTMLInputElement>) => set({ [key]: event.currentTarget.value }),
    };
    return (
      <div class="field">
        <label for={common.id}>{label}</label>
        <input type="text" class={key === "accessToken" ? "secret" : undefined} {...common} />
      </div>
    );
  };
  return (
    <fieldset class="plain" disabled={disabled}>
      <legend class="sr-only">Where the model comes from</legend>
      <div class="choices">
        {ways.map((way) => (
          <label key={way.kind} class="choice">
            <input
              type="radio"
              name="model-source"
              value={way.kind}
              checked={form.kind === way.kind}
              data-testid={`source-${way.kind}`}
              onChange={() => set({ kind: way.kind })}
            />
            <span>
              <strong>{way.title}</strong>
              <span class="muted">{way.text}</span>
            </span>
          </label>
        ))}
      </div>
      {form.kind === "files" ? (
        <DropZone label="Model files" testId="model-drop" onFolder={onFolder} onError={onError}>
          <p>Drop the model's folder or files here, or</p>
          <div class="row center">
            <FileButton label="Choose a folder" testId="model-folder" folder onFolder={onFolder} />
            <FileButton label="Choose files" testId="model-files" multiple onFolder={onFolder} />
          </div>
          <p class="muted">They are read in this tab and sent nowhere.</p>
        </DropZone>
      ) : null}
      {form.kind === "files" && form.folder ? (
        <p class="muted figures" data-testid="chosen-files">
          {form.folder.name ? `${form.folder.name}: ` : ""}
          {counted(form.folder.files.length, "file")},{" "}
          {bytes(form.folder.files.reduce((sum, file) => sum + file.blob.size, 0))}
        </p>
      ) : null}
      {form.kind === "web" ? (
        <>
          {text("address", "Repository id or web address", example)}
          <details class="drawer">
            <summary>Advanced</summary>
            <div class="option-grid">
              {text("revision", "Revision", "main")}
              {text("hubUrl", "Hub address", "https://huggingface.co")}
              {text("accessToken", "Access token (never stored)", "hf_…")}
            </div>
          </details>
        </>
      ) : null}
    </fieldset>
  );
}
