/**
 * Makes the Python environment that reads exports: the pinned packages of requirements.txt, in the cache folder, again when a pin changes.
 * 1.5 GB and 640 MB of downloads, about a CPU minute; with NVIDIA's libraries, which PyPI's torch for Linux asks for, it would be 5.6 GB.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { cache } from "../../scripts/cache.mjs";
import { findPython } from "../../scripts/python.mjs";
import { ask, Failure, say, show } from "../../scripts/run.mjs";
import { hashOf, isFresh, writeStamp } from "../../scripts/stamp.mjs";

const REQUIREMENTS = "tests/exports/requirements.txt";
const WITHOUT_CUDA = "tests/exports/without_cuda.py";
// What the pinned numpy and networkx ask for.
const OLDEST_MINOR = 11;

/** @returns {Promise<string>} the environment's python */
export async function pythonEnvironment() {
  const python = findPython("what reads the exports");
  const version = ask(python, ["--version"]) ?? "";
  if (Number(/^Python 3\.(\d+)/.exec(version)?.[1] ?? 0) < OLDEST_MINOR) {
    throw new Failure(`Python: expected 3.${OLDEST_MINOR} or newer, found ${version}`);
  }
  const folder = join(cache, "exports-python");
  const inside = process.platform === "win32" ? join(folder, "Scripts", "python.exe") : join(folder, "bin", "python");
  const stamp = join(folder, "stamp");
  const hash = hashOf([REQUIREMENTS, WITHOUT_CUDA], [version]);
  if (isFresh(stamp, hash, [inside])) return inside;
  say("installing torch, transformers and PEFT with pip, once (640 MB; some minutes)");
  rmSync(folder, { recursive: true, force: true });
  if (ask(python, ["-m", "venv", folder]) === undefined) {
    throw new Failure(`${python} -m venv ${folder} failed; install the module (Debian: apt-get install python3-venv)`);
  }
  // Without pip's own cache, which would keep the downloads a second time.
  const quiet = ["--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-compile", "--no-deps"];
  await show(inside, ["-m", "pip", "install", ...quiet, "-r", REQUIREMENTS]);
  await show(inside, [WITHOUT_CUDA]);
  writeStamp(stamp, hash);
  return inside;
}
