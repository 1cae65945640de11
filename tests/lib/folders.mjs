/**
 * Temporary folders of files, for stubs that serve them.
 */
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Gives the new folder. @param {Record<string, string | Uint8Array>} files contents by path */
export async function writeFolder(files) {
  const folder = await mkdtemp(join(tmpdir(), "webtune-files-"));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}
