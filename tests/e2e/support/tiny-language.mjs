/**
 * Makes the files of a tiny Llama with a real tokenizer, in one file of weights or in two shards, from nothing but a seed.
 */
import { readFileSync } from "node:fs";
import { noise, safetensors } from "./tiny-model.mjs";

const tokenizer = readFileSync(new URL("../../fixtures/tokenizer_bpe/tokenizer.json", import.meta.url));
const HIDDEN = 32;
const LAYERS = 2;
const FEED_FORWARD = 64;
const KEYS = 16;
const VOCABULARY = 704;
export const POSITIONS = 128;

export const config = {
  model_type: "llama",
  vocab_size: VOCABULARY,
  hidden_size: HIDDEN,
  num_hidden_layers: LAYERS,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: FEED_FORWARD,
  max_position_embeddings: POSITIONS,
  tie_word_embeddings: true,
  bos_token_id: 0,
  eos_token_id: 2,
};

/** @returns {Record<string, number[]>} */
function shapes() {
  /** @type {Record<string, number[]>} */
  const all = { "model.embed_tokens.weight": [VOCABULARY, HIDDEN], "model.norm.weight": [HIDDEN] };
  for (let layer = 0; layer < LAYERS; layer += 1) {
    const at = `model.layers.${layer}`;
    all[`${at}.input_layernorm.weight`] = [HIDDEN];
    all[`${at}.post_attention_layernorm.weight`] = [HIDDEN];
    all[`${at}.self_attn.q_proj.weight`] = [HIDDEN, HIDDEN];
    all[`${at}.self_attn.k_proj.weight`] = [KEYS, HIDDEN];
    all[`${at}.self_attn.v_proj.weight`] = [KEYS, HIDDEN];
    all[`${at}.self_attn.o_proj.weight`] = [HIDDEN, HIDDEN];
    all[`${at}.mlp.gate_proj.weight`] = [FEED_FORWARD, HIDDEN];
    all[`${at}.mlp.up_proj.weight`] = [FEED_FORWARD, HIDDEN];
    all[`${at}.mlp.down_proj.weight`] = [HIDDEN, FEED_FORWARD];
  }
  return all;
}

/** Its tensors by name. */
export function tensors() {
  const next = noise(5);
  return Object.entries(shapes()).map(([name, shape]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const values = Float32Array.from({ length: size }, () => (name.includes("norm") ? 1 : 3 * next()));
    const tensor = { shape, dtype: "F32", bytes: new Uint8Array(values.buffer) };
    return /** @type {[string, typeof tensor]} */ ([name, tensor]);
  });
}

/** @param {{ sharded?: boolean, positions?: number }} [form] @returns {Record<string, Buffer>} contents by path */
export function tinyLanguageModel({ sharded = false, positions = POSITIONS } = {}) {
  const all = tensors();
  const settings = { ...config, max_position_embeddings: positions };
  const files = { "config.json": Buffer.from(JSON.stringify(settings)), "tokenizer.json": tokenizer };
  if (!sharded) return { ...files, "model.safetensors": safetensors(new Map(all)) };
  const half = Math.ceil(all.length / 2);
  const names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const map = Object.fromEntries(all.map(([name], index) => [name, names[index < half ? 0 : 1]]));
  return {
    ...files,
    "model.safetensors.index.json": Buffer.from(JSON.stringify({ metadata: {}, weight_map: map })),
    [String(names[0])]: safetensors(new Map(all.slice(0, half))),
    [String(names[1])]: safetensors(new Map(all.slice(half))),
  };
}
