/**
 * What one training step asks of WebGPU, counted on Dawn's backend that checks every call and computes nothing: the same on every machine.
 */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { measured } from "../../benches/support/dawn/measure.mjs";
import { copiesOf, kindOf } from "../../benches/support/dawn/table.mjs";
import { WORKLOADS } from "../../benches/support/dawn/workloads.mjs";
import { ensureDawn } from "../../scripts/dawn.mjs";

/** At most that many in a step. Whoever saves some lowers these; `npm run bench:gpu -- --adapter none` says which kernels they are. */
const BOUNDS = {
  // a classifier of 6 layers, LoRA on query and value
  "tiny, 1 x 8": { dispatches: 278, copies: 0, bindGroups: 278, submits: 12, writes: 6, reads: 1, pipelines: 74 },
  // a language model of 5, LoRA on all linear layers
  "stories260K, 8 x 128": {
    dispatches: 331,
    copies: 0,
    bindGroups: 331,
    submits: 15,
    writes: 7,
    reads: 1,
    pipelines: 43,
  },
};

for (const [name, bounds] of Object.entries(BOUNDS)) {
  describe(`a step of ${name}`, () => {
    /** @type {any} */
    let found;

    before(async () => {
      const workload = WORKLOADS.find((one) => one.name === name);
      assert.ok(workload);
      const one = { adapter: "none", workload, steps: 1, executes: false };
      found = await measured({ dawn: await ensureDawn(), ...one });
    });

    test("asks for no more than it did", () => {
      const { counts, pipelines, kernels } = found;
      const all = { ...counts, pipelines, copies: copiesOf(kernels) };
      for (const [what, most] of Object.entries(bounds)) {
        assert.ok(all[what] > 0 || what === "copies", `${what}: nothing was counted`);
        assert.ok(all[what] <= most, `${what}: expected at most ${most}, found ${all[what]}`);
      }
    });

    test("makes no pipeline once it has been taken, and counts each dispatch under its kernel's name", () => {
      const { counts, kernels } = found;
      assert.equal(counts.pipelines, 0);
      assert.equal(
        kernels.reduce((sum, { count }) => sum + count, 0),
        counts.dispatches,
      );
      assert.ok(!kernels.some(({ label }) => label === "unnamed"));
    });
  });
}

test("kernels are of one kind whatever their types and sizes", () => {
  for (const [label, kind] of [
    ["copy_kernel_t_f32_n_4_d739da67", "copy_kernel"],
    ["matmul_entry_lhs_f32_lhs_size_4_rhs_f32_rhs_size_4_acc_f32_acc_size_4_fd219f31", "matmul_entry"],
    ["kernel_scalar_binop_c_f32_n_4_1172d5fa", "kernel_scalar_binop"],
    ["reduce_kernel_fused_in_f32_size_in_4_out_f32_size_out_1_acc_f32_f6cdaa1e", "reduce_kernel_fused"],
    ["elemwise_fuse_b7bd8c2b", "elemwise_fuse"],
  ]) {
    assert.equal(kindOf(label), kind);
  }
});
