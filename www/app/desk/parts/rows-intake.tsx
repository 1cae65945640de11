/**
 * Enters: a file, pasted text or a wish for built-in rows. Leaves: their name and content, to be read by the desk.
 */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { DropZone } from "../../ui/drop-zone";
import { FileButton } from "../../ui/file-button";
import type { Folder } from "../../ui/files";
import { counted } from "../../ui/format";
import { type Kept, useKept } from "../store";

/** The name of what was pasted. */
export const PASTED = "pasted text";

interface Props {
  kept: Kept;
  /** Of the test ids: `NAME-drop`, `NAME-file`, `built-in-NAME`. */
  name: "examples" | "texts";
  label: string;
  /** What may be dropped. */
  invitation: ComponentChildren;
  accept: string;
  builtInLabel: string;
  placeholder: string;
  /** Rows that are there, and what one is called. */
  count: number;
  noun: string;
  reading: boolean;
  /** With `add`, the rows follow those already there. */
  onRead: (name: string, content: Blob | string, add: boolean) => void;
  onBuiltIn: () => void;
  onError: (message: string) => void;
}

export function RowsIntake(props: Props) {
  const { name, label, invitation, accept, builtInLabel, placeholder, count, noun, reading } = props;
  const [pasted, setPasted] = useKept(props.kept, "pasted", "");
  const [add, setAdd] = useState(false);
  const adding = add && count > 0;
  const take = (folder: Folder) => {
    const [file, another] = folder.files;
    if (!file) return;
    if (another) {
      const given = counted(folder.files.length, "file");
      props.onError(
        `${given} were given: one file at a time, please.${count > 0 ? ' Tick "Add" to join several.' : ""}`,
      );
      return;
    }
    props.onRead(file.path, file.blob, adding);
  };
  return (
    <DropZone label={label} testId={`${name}-drop`} onFolder={take} onError={props.onError}>
      <p>{invitation}</p>
      <div class="row center">
        <FileButton label="Choose a file" testId={`${name}-file`} accept={accept} onFolder={take} />
        <button
          type="button"
          class={count === 0 ? "primary" : ""}
          data-testid={`built-in-${name}`}
          onClick={props.onBuiltIn}
        >
          {builtInLabel}
        </button>
      </div>
      <details class="drawer">
        <summary>Paste text</summary>
        <label class="sr-only" for="paste">
          Rows to read
        </label>
        <textarea
          id="paste"
          data-testid="paste"
          rows={5}
          spellcheck={false}
          placeholder={placeholder}
          value={pasted}
          onInput={(event) => setPasted(event.currentTarget.value)}
        />
        <button
          type="button"
          data-testid="paste-read"
          disabled={pasted.trim() === "" || reading}
          onClick={() => props.onRead(PASTED, pasted, adding)}
        >
          Read the pasted text
        </button>
      </details>
      {count > 0 ? (
        <label class="check">
          <input
            type="checkbox"
            data-testid="add-to-rows"
            checked={add}
            onChange={(event) => setAdd(event.currentTarget.checked)}
          />
          Add to the {counted(count, noun)} below instead of taking their place
        </label>
      ) : null}
    </DropZone>
  );
}
