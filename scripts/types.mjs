/**
 * Writes www/lib/types and docs/options.md, which are generated from the serde types of src. `npm run types`.
 */
import { buildEnv } from "./cache.mjs";
import { script, show } from "./run.mjs";

script(import.meta.url, () =>
  show("cargo", ["test", "--lib", "types::"], { env: { ...buildEnv(), WEBTUNE_WRITE_TYPES: "1" } }),
);
