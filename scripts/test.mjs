/**
 * Runs every check in stages and prints one line for each with its seconds; at the first failure that stage's output.
 * `npm test [-- --from STAGE] [-- --only STAGE]`. A stage that holds tests counts each of them, any other counts as one.
 */
import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildEnv, cache, root } from "./cache.mjs";
import { findChromedriver } from "./chromium.mjs";
import { Failure, say, script } from "./run.mjs";

const HEARTBEAT_MS = 60_000;
const SHOWN_LINES = 200;

/**
 * @typedef {object} Stage
 * @property {string} name
 * @property {() => [string, ...string[]]} command
 * @property {boolean} [counts] its runner says how many tests ran
 * @property {() => Record<string, string>} [env]
 */

const node = process.execPath;
const tool = (/** @type {string} */ path) => join(root, "node_modules", path);

/** @param {string} folder @returns {string[]} */
function testFiles(folder) {
  const files = readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".test.mjs"))
    .map((name) => join(root, folder, name));
  if (files.length === 0) throw new Failure(`${folder}: expected at least one *.test.mjs, found none`);
  return files.sort();
}

/** One file after the other: each trains, and two at once would only slow each other down. */
const nodeTests = (/** @type {string} */ folder) =>
  /** @type {[string, ...string[]]} */ ([
    node,
    "--test",
    "--test-concurrency=1",
    "--test-reporter=spec",
    ...testFiles(folder),
  ]);

const shipped = ["clippy", "--release", "--target", "wasm32-unknown-unknown"];

/** @type {Stage[]} */
const stages = [
  { name: "setup", command: () => [node, "scripts/setup.mjs", "--tests"] },
  { name: "rustfmt", command: () => ["cargo", "fmt", "--check"] },
  { name: "biome", command: () => [node, tool("@biomejs/biome/bin/biome"), "ci", "--error-on-warnings", "."] },
  { name: "ruff", command: () => ["ruff", "check"] },
  { name: "model", command: () => [node, "scripts/model.mjs"] },
  { name: "build-wasm", command: () => [node, "scripts/build-wasm.mjs"] },
  { name: "types", command: () => [node, tool("typescript/bin/tsc"), "--noEmit"] },
  { name: "types-scripts", command: () => [node, tool("typescript/bin/tsc"), "--noEmit", "-p", "scripts"] },
  { name: "lib", command: () => nodeTests("tests/lib"), counts: true },
  { name: "deny", command: () => ["cargo", "deny", "--locked", "check", "bans", "licenses", "sources"] },
  {
    name: "clippy",
    // With the native WebGPU engine too; no code is for builds without it.
    command: () => ["cargo", "clippy", "--features", "webgpu", "--all-targets", "--", "-D", "warnings"],
  },
  {
    name: "doc",
    command: () => ["cargo", "doc", "--features", "webgpu", "--no-deps", "--document-private-items"],
    env: () => ({ RUSTDOCFLAGS: "-D warnings" }),
  },
  {
    name: "fuzz",
    command: () => ["cargo", "check", "--manifest-path", "fuzz/Cargo.toml", "--locked"],
    // A check links nothing, so libFuzzer itself need not be compiled.
    env: () => ({ CUSTOM_LIBFUZZER_PATH: join(cache, "libfuzzer.a") }),
  },
  {
    name: "clippy-wasm",
    // The release profile, so that the build above has done part of the work.
    command: () => ["cargo", ...shipped, "--all-targets", "--", "-D", "warnings"],
  },
  // The library as it is shipped, once with each set of engines: without the tests, to which every module is public.
  { name: "unused", command: () => ["cargo", ...shipped, "--", "-D", "warnings"] },
  { name: "unused-webgpu", command: () => ["cargo", ...shipped, "--features", "webgpu", "--", "-D", "warnings"] },
  { name: "native", command: () => ["cargo", "test", "--", "--nocapture"], counts: true },
  // A Python environment of 1.5 GB in the cache, made on a new machine alone: tests/exports/environment.mjs says how and why.
  { name: "exports", command: () => nodeTests("tests/exports"), counts: true },
  {
    name: "browser",
    command: () => [
      "wasm-pack",
      "test",
      "--headless",
      "--chrome",
      "--chromedriver",
      findChromedriver() ?? "chromedriver",
      "--release",
      "--",
      "--test",
      "browser",
      "--",
      "--nocapture",
    ],
    counts: true,
    // Seconds: WebGPU's shaders are compiled in software, which takes long on a busy machine.
    env: () => ({ WASM_BINDGEN_TEST_TIMEOUT: "1200", CHROMEDRIVER: findChromedriver() ?? "" }),
  },
  { name: "build-page", command: () => [node, "scripts/build-page.mjs"] },
  { name: "build-package", command: () => [node, "scripts/build-package.mjs"] },
  { name: "command", command: () => nodeTests("tests/command"), counts: true },
  { name: "e2e", command: () => nodeTests("tests/e2e"), counts: true },
  { name: "consumer", command: () => nodeTests("tests/consumer"), counts: true },
];

/** What the runners' closing lines say: cargo's and wasm-bindgen's `test result:`, node's `pass N`. @param {string} text */
export function countTests(text) {
  let passed = 0;
  let failed = 0;
  for (const [, ok, bad] of text.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed/gm)) {
    passed += Number(ok);
    failed += Number(bad);
  }
  for (const [, word, count] of text.matchAll(/^(?:#|ℹ) (pass|fail) (\d+)$/gm)) {
    if (word === "pass") passed += Number(count);
    else failed += Number(count);
  }
  return { passed, failed };
}

/** Colours would hide the closing lines. @param {string} text */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is removed here.
const plain = (text) => text.replace(/\u001b\[[0-9;]*m/g, "");

/**
 * @param {Stage} stage
 * @returns {Promise<{ passed: number, failed: number }>}
 */
async function run({ name, command, counts = false, env = () => ({}) }) {
  const logs = join(cache, "logs");
  mkdirSync(logs, { recursive: true });
  const logFile = join(logs, `${name}.log`);
  const log = createWriteStream(logFile);
  const begun = performance.now();
  const seconds = () => `${((performance.now() - begun) / 1000).toFixed(1)} s`;
  let last = "";
  const beat = setInterval(() => say(`${name}: ${seconds()} so far: ${last.slice(0, 120)}`), HEARTBEAT_MS);
  const [file, ...args] = command();
  const code = await new Promise((done) => {
    const child = spawn(file, args, { cwd: root, env: { ...buildEnv(), ...env() }, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (/** @type {Buffer} */ chunk) => {
        log.write(chunk);
        last = plain(chunk.toString()).trimEnd().split("\n").pop()?.trim() || last;
      });
    }
    child.once("error", (error) => {
      log.write(`${file} could not be started: ${error.message}\n`);
      done(-1);
    });
    child.once("close", done);
  });
  clearInterval(beat);
  await new Promise((done) => log.end(done));

  const output = plain(readFileSync(logFile, "utf8"));
  const result = counts ? countTests(output) : { passed: code === 0 ? 1 : 0, failed: 0 };
  // A runner that found no test has tested nothing, whatever its exit code says.
  const empty = counts && result.passed + result.failed === 0;
  if (code !== 0 || empty || result.failed > 0) {
    process.stdout.write(`${output.split("\n").slice(-SHOWN_LINES).join("\n")}\n`);
    const why = code !== 0 ? `ended with code ${code}` : empty ? "ran no test" : `${result.failed} failed`;
    process.stdout.write(`FAILED ${name} after ${seconds()}: ${why}; all of its output: ${logFile}\n`);
    return { passed: result.passed, failed: Math.max(1, result.failed) };
  }
  // Largest relative errors against other implementations, which docs/figures.md quotes.
  for (const [, line] of output.matchAll(/(parity .*\|.*)$/gm)) process.stdout.write(`  ${line}\n`);
  process.stdout.write(`ok ${name}: ${counts ? `${result.passed} tests, ` : ""}${seconds()}\n`);
  return result;
}

function choose() {
  const names = stages.map(({ name }) => name);
  const text = /** @type {const} */ ({ type: "string" });
  const { from, only } = parseArgs({ options: { from: text, only: text } }).values;
  const wanted = from ?? only;
  if (wanted !== undefined && !names.includes(wanted)) {
    throw new Failure(`expected a stage (${names.join(", ")}), found ${wanted}`);
  }
  if (only !== undefined) return stages.filter(({ name }) => name === only);
  return from === undefined ? stages : stages.slice(names.indexOf(from));
}

script(import.meta.url, async () => {
  let passed = 0;
  let failed = 0;
  for (const stage of choose()) {
    const result = await run(stage);
    passed += result.passed;
    failed += result.failed;
    if (result.failed > 0) break;
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  if (failed > 0) process.exitCode = 1;
});
