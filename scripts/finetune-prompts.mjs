/**
 * Reads the prompts that a language model completes before and after tuning.
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { Failure } from "./run.mjs";

/**
 * JSONL of `prompt` or `messages`, or a text with one prompt a line.
 * @param {string} file
 * @returns {(string | { role: string, content: string }[])[]}
 */
export function readPrompts(file) {
  const name = basename(file);
  const lines = readFileSync(file, "utf8")
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/);
  const rows = lines.map((line, index) => ({ line, row: index + 1 })).filter(({ line }) => line.trim() !== "");
  if (rows.length === 0) throw new Failure(`--prompts: ${name}: expected at least one prompt, found none`);
  if (!/\.(jsonl|ndjson)$/i.test(name) && !rows[0]?.line.trimStart().startsWith("{"))
    return rows.map(({ line }) => line);
  return rows.map(({ line, row }) => {
    const where = `--prompts: ${name}, row ${row}`;
    let value;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw new Failure(`${where}: expected JSON (${/** @type {Error} */ (error).message})`);
    }
    if (typeof value?.prompt === "string") return value.prompt;
    const isMessage = (/** @type {any} */ entry) =>
      typeof entry?.role === "string" && typeof entry?.content === "string";
    if (Array.isArray(value?.messages) && value.messages.every(isMessage)) {
      return value.messages.map((/** @type {any} */ { role, content }) => ({ role, content }));
    }
    throw new Failure(`${where}: expected {"prompt": "..."} or {"messages": [{"role": "...", "content": "..."}]}`);
  });
}
