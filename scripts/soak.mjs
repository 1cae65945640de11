/**
 * Kills runs at random events, resumes each, and compares it with the run that was not killed, for every method and both tasks.
 * `npm run soak [-- --kills 1000 --seed 1]`; prints a line for each setting. `npm test` does the same with fewer kills.
 */
import { parseArgs } from "node:util";
import { buildEnv } from "./cache.mjs";
import { Failure, script, show } from "./run.mjs";

script(import.meta.url, async () => {
  const text = /** @type {const} */ ({ type: "string" });
  const { kills = "1000", seed = "1" } = parseArgs({ options: { kills: text, seed: text } }).values;
  for (const [name, value] of Object.entries({ kills, seed })) {
    if (!/^\d+$/.test(value)) throw new Failure(`--${name}: expected a whole number, found ${value}`);
  }
  const env = { ...buildEnv(), WEBTUNE_KILLS: kills, WEBTUNE_SEED: seed };
  await show("cargo", ["test", "--test", "resume", "killed", "--", "--nocapture"], { env });
});
