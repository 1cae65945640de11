/**
 * Reads the prompts that a language model completes before and after tuning.
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { Message, Prompt } from "../types/engine.js";
import { Failure } from "./failure.js";

/** JSONL of `prompt` or `messages`, or a text with one prompt a line. */
export function readPrompts(file: string): Prompt[] {
  const name = basename(file);
  const lines = readFileSync(file, "utf8")
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/);
  const rows = lines.map((line, index) => ({ line, row: index + 1 })).filter(({ line }) => line.trim() !== "");
  if (rows.length === 0) throw new Failure(`--prompts: ${name}: expected at least one prompt, found none`);
  if (!/\.(jsonl|ndjson)$/i.test(name) && !rows[0]?.line.trimStart().startsWith("{"))
    return rows.map(({ line }) => line);
  return rows.map(({ line, row }) => promptOf(line, `--prompts: ${name}, row ${row}`));
}

function promptOf(line: string, where: string): Prompt {
  let value: { prompt?: unknown; messages?: unknown } | null;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new Failure(`${where}: expected JSON (${(error as Error).message})`);
  }
  if (typeof value?.prompt === "string") return value.prompt;
  if (Array.isArray(value?.messages) && value.messages.every(isMessage)) {
    return value.messages.map(({ role, content }) => ({ role, content }));
  }
  throw new Failure(`${where}: expected {"prompt": "..."} or {"messages": [{"role": "...", "content": "..."}]}`);
}

/** The engine knows which roles there are. */
function isMessage(entry: unknown): entry is Message {
  const { role, content } = (entry ?? {}) as { role?: unknown; content?: unknown };
  return typeof role === "string" && typeof content === "string";
}
