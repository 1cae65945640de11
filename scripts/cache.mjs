/**
 * Says where everything is that is built or fetched and belongs in no commit.
 * Only Node's own modules here: `npm start` reads this file before any package is installed.
 */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root folder. */
export const root = resolve(fileURLToPath(new URL("..", import.meta.url)));

/** Outside the repository, so that a second clone pays for nothing twice. */
export const cache = resolve(process.env.WEBTUNE_CACHE || join(homedir(), ".cache", "webtune"));

/** Rust's build folder; a person's own choice goes first. */
export const targetDir = resolve(root, process.env.CARGO_TARGET_DIR || join(cache, "target"));

/** Where `cargo install` puts the tools of this project, so that a person's own stay as they are. */
export const toolsRoot = join(cache, "tools");

/** The environment of every command that this project starts. */
export function buildEnv() {
  const separator = process.platform === "win32" ? ";" : ":";
  return {
    ...process.env,
    CARGO_TARGET_DIR: targetDir,
    PATH: `${join(toolsRoot, "bin")}${separator}${process.env.PATH ?? ""}`,
  };
}
