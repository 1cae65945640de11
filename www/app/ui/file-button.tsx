/** A button that opens the dialog for files or a folder. It is a real file input, which keyboards and screen readers know. */
import { useRef } from "preact/hooks";
import { type Folder, folderFromList } from "./files";

interface Props {
  label: string;
  testId: string;
  folder?: boolean;
  multiple?: boolean;
  accept?: string;
  disabled?: boolean;
  onFolder: (folder: Folder) => void;
}

export function FileButton({
  label,
  testId,
  folder = false,
  multiple = false,
  accept,
  disabled = false,
  onFolder,
}: Props) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <label class={disabled ? "button disabled" : "button"}>
      {label}
      <input
        ref={input}
        class="sr-only"
        type="file"
        data-testid={testId}
        multiple={multiple || folder}
        disabled={disabled}
        {...(accept ? { accept } : {})}
        {...(folder ? { webkitdirectory: true } : {})}
        onChange={() => {
          const chosen = folderFromList(input.current?.files ?? null);
          // Choosing the same file again must count as a choice.
          if (input.current) input.current.value = "";
          if (chosen.files.length > 0) onFolder(chosen);
        }}
      />
    </label>
  );
}
