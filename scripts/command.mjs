/**
 * What `npm run finetune` and its like start: a command of the package, built from here, with the default models as pip has them.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensurePackage } from "./build-package.mjs";
import { ensureModel, MINILM, SMOLLM2 } from "./model.mjs";
import { Failure } from "./run.mjs";

/** @typedef {import("../www/lib/command/around.js").Around} Around */

/** @type {Around} */
const around = {
  typed: (command) => `npm run ${command} --`,
  // npm changes to the repository's folder; paths are relative to the folder that the person is in.
  from: process.env.INIT_CWD ?? process.cwd(),
  defaults: { classification: MINILM.repository, "causal-lm": SMOLLM2.repository },
  async defaultModel(task) {
    if (task === "classification") return { folder: await ensureModel(MINILM), name: MINILM.repository };
    const [file = ""] = Object.keys(SMOLLM2.files);
    try {
      return { folder: join(await ensureModel(SMOLLM2), file), name: SMOLLM2.repository };
    } catch (error) {
      throw new Failure(`${/** @type {Error} */ (error).message}; or name another language model with --model`);
    }
  },
};

/** @param {string} command */
export async function runCommand(command) {
  const pkg = await ensurePackage();
  const { main } = await import(pathToFileURL(join(pkg, "command/commands.js")).href);
  process.exitCode = await main([command, ...process.argv.slice(2)], around);
}
