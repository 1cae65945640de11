/**
 * Enters: an exported zip or its folder. Leaves: it, to be brought back, or the message of why not.
 */

import { Alert } from "../../ui/alert";
import { DropZone } from "../../ui/drop-zone";
import { FileButton } from "../../ui/file-button";
import type { Folder } from "../../ui/files";

interface Props {
  /** What may be dropped. */
  invitation: string;
  disabled: boolean;
  note: string | undefined;
  error: string | undefined;
  onFolder: (folder: Folder) => void;
  onError: (message: string) => void;
}

export function ImportAdapter({ invitation, disabled, note, error, onFolder, onError }: Props) {
  const shared = { disabled, onFolder };
  return (
    <div class="stack">
      <h3>Import</h3>
      <DropZone label="Bring back an exported adapter" testId="import-drop" onError={onError} {...shared}>
        <p>{invitation}</p>
        <div class="row center">
          <FileButton label="Choose a zip" testId="import-zip" accept=".zip" {...shared} />
          <FileButton label="Choose a folder" testId="import-folder" folder {...shared} />
        </div>
      </DropZone>
      <Alert message={error} testId="import-error" />
      {note ? (
        <p class="note note-good" data-testid="import-note">
          {note}
        </p>
      ) : null}
    </div>
  );
}
