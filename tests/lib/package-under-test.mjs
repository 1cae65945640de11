/**
 * Compiles the package's sources into modules, once per test process.
 * They are compiled inside node_modules, so that their own imports resolve.
 */
import { execFile } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../../", import.meta.url));
const out = `${root}node_modules/.cache/webtune-lib-test/${process.pid}`;

await mkdir(out, { recursive: true });
const compiler = fileURLToPath(new URL("../../node_modules/typescript/lib/tsc.js", import.meta.url));
await promisify(execFile)(process.execPath, [compiler, "-p", `${root}tsconfig.lib.json`, "--outDir", out]).catch(
  ({ stdout, stderr }) => {
    throw new Error(`the package does not compile:\n${stdout}${stderr}`);
  },
);

/** @param {string} name A file of www/lib without its extension. */
export const load = (name) => import(`${out}/${name}.js`);

export const removeBuild = () => rm(out, { recursive: true, force: true });
