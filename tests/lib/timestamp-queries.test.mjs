/**
 * The engine on an adapter without timestamp queries, which are optional: it trains, and asks the adapter for nothing that it does not have.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { installDawn, nextStep, startRun } from "../../benches/support/dawn/engine.mjs";
import { WORKLOADS } from "../../benches/support/dawn/workloads.mjs";
import { ensureDawn } from "../../scripts/dawn.mjs";
import { load, removeBuild } from "./package-under-test.mjs";

const { claimTimestampQueries } = await load("timestamp-queries");
after(removeBuild);

test("an adapter without timestamp queries trains", async () => {
  const gpu = installDawn(await import(await ensureDawn()), "none", ["core-features-and-limits"]);
  const adapter = await gpu.requestAdapter();
  assert.ok(!adapter.features.has("timestamp-query"));
  claimTimestampQueries(gpu);
  const workload = WORKLOADS.find(({ name }) => name === "tiny, 1 x 8");
  const { model } = await startRun("webgpu", workload, 4);
  const { step } = await nextStep(model);
  assert.equal(step, 1);
});
