/** A zone that takes dropped files and folders; its content is the way for keyboards. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Folder, folderFromDrop } from "./files";
import { messageOf } from "./format";
import "./drop-zone.css";

interface Props {
  label: string;
  testId: string;
  disabled?: boolean;
  onFolder: (folder: Folder) => void;
  onError: (message: string) => void;
  children: ComponentChildren;
}

export function DropZone({ label, testId, disabled = false, onFolder, onError, children }: Props) {
  const zone = useRef<HTMLFieldSetElement>(null);
  const [over, setOver] = useState(false);
  const latest = useRef({ onFolder, onError, disabled });
  latest.current = { onFolder, onError, disabled };

  useEffect(() => {
    const element = zone.current;
    if (!element) return;
    const listening = new AbortController();
    const { signal } = listening;
    const hover = (event: DragEvent) => {
      event.preventDefault();
      if (!latest.current.disabled) setOver(true);
    };
    element.addEventListener("dragenter", hover, { signal });
    element.addEventListener("dragover", hover, { signal });
    element.addEventListener(
      "dragleave",
      (event) => {
        if (!element.contains(event.relatedTarget as Node | null)) setOver(false);
      },
      { signal },
    );
    element.addEventListener(
      "drop",
      (event) => {
        event.preventDefault();
        setOver(false);
        const { onFolder: take, onError: fail, disabled: off } = latest.current;
        if (off || !event.dataTransfer) return;
        folderFromDrop(event.dataTransfer).then(
          (folder) => (folder.files.length > 0 ? take(folder) : fail("Nothing that can be read was dropped.")),
          (error: unknown) => fail(`The dropped files cannot be read: ${messageOf(error)}`),
        );
      },
      { signal },
    );
    return () => listening.abort();
  }, []);

  return (
    <fieldset ref={zone} class={over ? "drop drop-over" : "drop"} data-testid={testId} disabled={disabled}>
      <legend class="sr-only">{label}</legend>
      {children}
    </fieldset>
  );
}
