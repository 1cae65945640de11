/** How the commands speak: on standard error, since standard output belongs to results. */

/** Something a person can put right; shown on one line, without a stack. */
export class Failure extends Error {}

export function say(line: string): void {
  process.stderr.write(`webtune: ${line}\n`);
}

/** The one line that a failure ends with, and the whole of it for who looks into the program. */
export function linesOf(error: unknown): string {
  if (process.env.WEBTUNE_DEBUG && error instanceof Error) return error.stack ?? error.message;
  return String((error instanceof Error && error.message) || error).replace(/\s+/g, " ");
}
