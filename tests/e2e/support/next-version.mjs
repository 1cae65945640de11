/** Puts another version of the built page in place of the first, as a new build does: every hashed file has a new name. */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** @param {string} folder a copy of dist, which is changed */
export function putNextVersion(folder) {
  const assets = join(folder, "assets");
  const names = readdirSync(assets).map((name) => [name, name.replace(/-[\w-]{3}([\w-]{5}\.\w+)$/, "-new$1")]);
  const texts = [
    ...readdirSync(folder).filter((name) => /\.(html|js)$/.test(name)),
    ...names.map(([name]) => `assets/${name}`).filter((name) => /\.(js|css)$/.test(name)),
  ];
  for (const path of texts) {
    let text = readFileSync(join(folder, path), "utf8");
    for (const [before, now] of names) text = text.replaceAll(`${before}`, `${now}`);
    // The revisions of files without a hash in their names.
    if (path === "service-worker.js") text = text.replaceAll(/revision:`\w+`/g, "revision:`next`");
    if (path === "index.html") text = text.replace("<title>webtune", "<title>next webtune");
    writeFileSync(join(folder, path), text);
  }
  for (const [before, now] of names) renameSync(join(assets, `${before}`), join(assets, `${now}`));
  rmSync(join(folder, "models"), { recursive: true, force: true });
}
