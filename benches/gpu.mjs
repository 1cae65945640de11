/**
 * Builds benches/gpu.rs (a quarter of an hour on two cores) and prints its table.
 *
 *   npm run bench:gpu [-- --only WORDS]
 */
import { spawn } from "node:child_process";
import { buildEnv, root } from "../scripts/cache.mjs";
import { Failure, script } from "../scripts/run.mjs";

script(import.meta.url, async () => {
  const args = ["bench", "--features", "webgpu", "--bench", "gpu", "--", ...process.argv.slice(2)];
  await new Promise((done, fail) => {
    const child = spawn("cargo", args, { cwd: root, env: buildEnv(), stdio: "inherit" });
    child.once("error", (error) => fail(new Failure(`cargo could not be started: ${error.message}`)));
    child.once("close", (code) =>
      code === 0 ? done(undefined) : fail(new Failure(`cargo ${args.join(" ")} ended with code ${code}`)),
    );
  });
});
