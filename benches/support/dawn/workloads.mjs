/**
 * The training steps that are measured: LoRA of rank 8 on random models of well-known shapes.
 */
import { CONFIG } from "../random-llama.mjs";

/**
 * @typedef {object} Workload
 * @property {string} name
 * @property {import("./models.mjs").Config} config
 * @property {number} rows of a step
 * @property {number} tokens a row
 * @property {string} storage of the frozen weights
 * @property {boolean} checkpointing whether layers are computed twice
 * @property {string[] | "all-linear"} targets which layers have a delta
 * @property {"run" | "count" | "skip"} software what a software adapter does with it unless more is asked for; a step takes it seconds, minutes or hours
 * @property {boolean} compared whether the CPU engine computes the same steps
 */

const bert = {
  model_type: "bert",
  architectures: ["BertModel"],
  hidden_act: "gelu",
  layer_norm_eps: 1e-12,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  pad_token_id: 0,
};
const MINILM = {
  ...bert,
  vocab_size: 30522,
  hidden_size: 384,
  num_hidden_layers: 6,
  num_attention_heads: 12,
  intermediate_size: 1536,
};
/** As many layers and so as many kernels as MiniLM, with next to nothing to compute: what is left is the time of the program around. */
const TINY = {
  ...bert,
  vocab_size: 1000,
  hidden_size: 32,
  num_hidden_layers: 6,
  num_attention_heads: 4,
  intermediate_size: 64,
};
const STORIES = {
  ...CONFIG,
  vocab_size: 512,
  hidden_size: 64,
  num_hidden_layers: 5,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  intermediate_size: 172,
  max_position_embeddings: 512,
};

/** @param {string} name @param {import("./models.mjs").Config} config @param {[number, number]} size @param {Partial<Workload>} [others] */
function workload(name, config, [rows, tokens], others = {}) {
  const { storage = "f32", checkpointing = false } = others;
  const words = [`${name}, ${rows} x ${tokens}`, ...(storage === "f32" ? [] : [storage])];
  if (checkpointing) words.push("checkpointing");
  /** @type {Workload} */
  const made = {
    name: words.join(", "),
    config,
    rows,
    tokens,
    storage,
    checkpointing,
    targets: config.model_type === "bert" ? ["query", "value"] : "all-linear",
    software: "skip",
    compared: true,
    ...others,
  };
  return made;
}

/** Small ones first. */
export const WORKLOADS = [
  workload("tiny", TINY, [1, 8], { software: "run" }),
  workload("MiniLM", MINILM, [16, 64], { software: "count" }),
  workload("MiniLM", MINILM, [64, 128], { software: "count" }),
  workload("stories260K", STORIES, [8, 128], { software: "count" }),
  workload("stories260K", STORIES, [64, 128]),
  workload("SmolLM2-135M", CONFIG, [4, 256], { software: "count" }),
  // The CPU engine needs minutes for these, and their kernels are those of the one above.
  workload("SmolLM2-135M", CONFIG, [16, 256], { software: "count", compared: false }),
  workload("SmolLM2-135M", CONFIG, [4, 256], { checkpointing: true, compared: false }),
  ...["f16", "int8", "int4"].map((storage) =>
    workload("SmolLM2-135M", CONFIG, [4, 256], { storage, checkpointing: true, compared: false }),
  ),
];
