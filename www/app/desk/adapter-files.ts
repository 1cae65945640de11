/** Finds the files of an exported adapter in a zip or a folder that may hold anything else. */
import { type ExportedFile, memoryLimit } from "webtune";
import { type Folder, readFolder } from "../ui/files";
import { counted } from "../ui/format";

/** One of them is in every export, and says where its folder begins. */
const MARKS = ["labels.json", "adapter_config.json"];
/** All that an import reads. */
const NAMES = [
  ...MARKS,
  "adapter_model.safetensors",
  "adapter.safetensors",
  "model_head.safetensors",
  "model.safetensors",
  "head.safetensors",
  "baseline_head.safetensors",
  "3_Dense/model.safetensors",
  "README.md",
];

const isIn = (names: readonly string[], path: string): boolean =>
  names.some((name) => path === name || path.endsWith(`/${name}`));

/** @throws Error for a folder without an adapter, and for one that is too large. */
export async function adapterFiles(folder: Folder): Promise<ExportedFile[]> {
  const name = folder.files.length === 1 ? (folder.files[0]?.path ?? "") : folder.name || "The chosen files";
  const root = rootOf(folder.files.map(({ path }) => path));
  const files = await readFolder(folder, {
    is: (path) => path.startsWith(root) && isIn(NAMES, path),
    // The worker has them once more, and the engine.
    most: memoryLimit() / 2,
    what: "the files of an adapter",
  });
  if (!files.some(({ path }) => isIn(NAMES.slice(0, -1), path))) {
    const among = folder.files.length > 1 ? `, found ${counted(folder.files.length, "other file")}` : "";
    throw new Error(`${name}: expected ${MARKS.join(" or ")} and the weights next to it${among}`);
  }
  // A zip's names are known only now.
  const own = rootOf(files.map(({ path }) => path));
  return files
    .filter(({ path }) => path.startsWith(own))
    .map((file) => ({ ...file, path: file.path.slice(own.length) }));
}

/** The folder of the export that is the least deep; others may be below it, or next to it. */
function rootOf(paths: readonly string[]): string {
  const roots = paths
    .filter((path) => isIn(MARKS, path))
    .map((path) => path.slice(0, path.lastIndexOf("/") + 1))
    .sort((a, b) => a.split("/").length - b.split("/").length);
  return roots[0] ?? "";
}
