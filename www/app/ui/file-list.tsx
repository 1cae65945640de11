/** The names and sizes of an export's files, in a drawer. */
import type { ExportedFile } from "webtune";
import { bytes } from "./format";

export function FileList({ title, files }: { title: string; files: readonly ExportedFile[] }) {
  return (
    <details class="drawer">
      <summary>{title}</summary>
      <ul class="files figures" data-testid="export-files">
        {files.map((file) => (
          <li key={file.path}>
            <code>{file.path}</code> <span class="muted">{bytes(file.bytes.length)}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}
