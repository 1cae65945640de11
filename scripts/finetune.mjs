/**
 * `npm run finetune`: the package's command of that name.
 */
import { runCommand } from "./command.mjs";
import { script } from "./run.mjs";

script(import.meta.url, () => runCommand("finetune"));
