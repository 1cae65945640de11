/** The package's command, as `npx webtune` starts it. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ensurePackage } from "../../scripts/build-package.mjs";

export const bin = join(await ensurePackage(), "command/bin.js");

/** The engine is compiled once, quickly: most of these runs end before a second time, for speed, would pay. */
const QUICKLY = ["--liftoff-only"];

/** @param {string} cwd @param {string[]} args @param {string[]} [flags] of Node */
export function webtune(cwd, args, flags = QUICKLY) {
  return spawnSync(process.execPath, [...flags, bin, ...args], { cwd, encoding: "utf8" });
}
