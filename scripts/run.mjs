/**
 * Runs commands and shows their output, or one error that names the command and how it ended.
 * Only Node's own modules here. Everything said goes to standard error; standard output belongs to results.
 */
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildEnv, root } from "./cache.mjs";

/** Something a person can put right; shown on one line, without a stack. */
export class Failure extends Error {
  /**
   * @param {string} message
   * @param {string} [code] one of the package's error codes, if a page reported it
   */
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

/** @param {string} line */
export function say(line) {
  process.stderr.write(`webtune: ${line}\n`);
}

/** npm and npx are command files on Windows, which only a shell starts. */
const needsShell = (/** @type {string} */ command) => process.platform === "win32" && /^(npm|npx)$/.test(command);

/**
 * Runs a command and lets the person see all it prints (on standard error).
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<void>}
 */
export function show(command, args, { cwd = root, env = buildEnv() } = {}) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", 2, 2], shell: needsShell(command) });
    child.once("error", (error) => fail(new Failure(`${command} could not be started: ${error.message}`)));
    child.once("close", (code, signal) =>
      code === 0 ? done() : fail(new Failure(`${command} ${args.join(" ")} ended with ${signal ?? `code ${code}`}`)),
    );
  });
}

/**
 * What a command prints, trimmed; undefined where it is missing or fails.
 * @param {string} command
 * @param {string[]} args
 * @returns {string | undefined}
 */
export function ask(command, args) {
  const result = spawnSync(command, args, { cwd: root, env: buildEnv(), encoding: "utf8", shell: needsShell(command) });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

/**
 * The first of the names that is an executable file in the search path.
 * @param {string[]} names
 * @returns {string | undefined}
 */
export function which(names) {
  const folders = (buildEnv().PATH ?? "").split(delimiter);
  const endings = process.platform === "win32" ? [".exe", ".cmd", ""] : [""];
  for (const name of names) {
    for (const folder of folders) {
      for (const ending of endings) {
        const path = join(folder, name + ending);
        try {
          accessSync(path, constants.X_OK);
          return path;
        } catch {
          // Not there: the next folder may have it.
        }
      }
    }
  }
  return undefined;
}

/**
 * Node with one of the installed packages' commands, without the shell wrappers of node_modules/.bin.
 * @param {string} path inside node_modules
 * @param {string[]} args
 */
export function showPackage(path, args) {
  return show(process.execPath, [join(root, "node_modules", path), ...args]);
}

/**
 * Runs `main` when the file was started by hand, and turns a failure into one line and exit code 1.
 * @param {string} url the file's import.meta.url
 * @param {() => Promise<unknown>} main
 */
export function script(url, main) {
  if (!process.argv[1] || pathToFileURL(process.argv[1]).href !== url) return;
  main().catch((error) => {
    // One line, so that scripts can read it; the stack is for whoever looks into the script itself.
    const words = process.env.WEBTUNE_DEBUG
      ? (error?.stack ?? error)
      : String(error?.message || error).replace(/\s+/g, " ");
    process.stderr.write(`webtune: ${words}\n`);
    process.exitCode = 1;
  });
}
