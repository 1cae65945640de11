/**
 * Reads models from the disk: a folder, or a GGUF file.
 */
import type { Stats } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { fileError, messageOf, optionError } from "../errors.js";
import type { Disk } from "../machine.js";
import { isGguf, stemOf } from "../sources/gguf-file.js";
import type { SourceFile } from "../sources/http-file.js";

export const disk: Disk = {
  resolve(path) {
    if (!/^file:/i.test(path)) return resolve(path);
    try {
      return fileURLToPath(path);
    } catch (error) {
      throw optionError("folder", `expected an address of this computer, got "${path}" (${messageOf(error)})`);
    }
  },

  async open(path) {
    const found = await statOf(path);
    const name = basename(path);
    if (!found.isDirectory()) {
      return { name: isGguf(name) ? stemOf(name) : name, files: [fileAt(name, path, found)] };
    }
    const files: SourceFile[] = [];
    for (const entry of await entriesOf(path)) {
      if (entry.about.isFile()) files.push(fileAt(entry.name, entry.at, entry.about));
      else if (entry.about.isDirectory()) files.push(...(await filesIn(entry)));
    }
    return { name, files };
  },
};

interface Entry {
  name: string;
  at: string;
  about: Stats;
}

/** What is in a folder. Links are followed: the hub's own cache is made of them. One that leads nowhere is as good as not there. */
async function entriesOf(folder: string): Promise<Entry[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw fileError("readFailed", folder, messageOf(error));
  });
  const found = await Promise.all(
    names
      .filter((name) => !name.startsWith("."))
      .map(async (name) => {
        const at = join(folder, name);
        const about = await stat(at).catch(() => undefined);
        return about ? [{ name, at, about }] : [];
      }),
  );
  return found.flat();
}

/** The files of a folder inside a model's, such as `1_Pooling`; none have folders of their own. */
async function filesIn(folder: Entry): Promise<SourceFile[]> {
  const found = (await entriesOf(folder.at)).filter(({ about }) => about.isFile());
  return found.map(({ name, at, about }) => fileAt(`${folder.name}/${name}`, at, about));
}

async function statOf(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw fileError("readFailed", path, messageOf(error));
    throw fileError("missingFile", path, "there is no such file or folder");
  }
}

function fileAt(path: string, at: string, { size, mtimeMs }: Stats): SourceFile {
  return {
    path,
    size,
    async read(offset, length) {
      const bytes = new Uint8Array(length);
      let got = 0;
      try {
        const file = await open(at);
        try {
          const now = await file.stat();
          if (now.size !== size || now.mtimeMs !== mtimeMs) throw new Error("it changed on disk; load the model again");
          while (got < length) {
            const { bytesRead } = await file.read(bytes, got, length - got, offset + got);
            if (bytesRead === 0) break;
            got += bytesRead;
          }
        } finally {
          await file.close();
        }
      } catch (error) {
        throw fileError("readFailed", path, `it could not be read (${messageOf(error)})`);
      }
      if (got < length) throw fileError("readFailed", path, `expected ${length} bytes from byte ${offset}, got ${got}`);
      return bytes;
    },
  };
}
