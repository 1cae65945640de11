/**
 * Makes the tiny Llama of `tiny-language.mjs` as one GGUF file: the same numbers, with configuration and tokenizer as metadata.
 */
import { readFileSync } from "node:fs";
import { config, tensors } from "./tiny-language.mjs";

const tokenizer = JSON.parse(
  readFileSync(new URL("../../fixtures/tokenizer_bpe/tokenizer.json", import.meta.url), "utf8"),
);
const ALIGNMENT = 32;
/** Of values, as the format numbers them. */
const TYPES = { u32: 4, i32: 5, f32: 6, text: 8, list: 9 };
/** Of tokens, likewise. */
const NORMAL = 1;
const CONTROL = 3;
const UNUSED = 5;
const F32 = 0;

/** @type {Record<string, string>} */
const NAMES = {
  "model.embed_tokens": "token_embd",
  "model.norm": "output_norm",
  input_layernorm: "attn_norm",
  post_attention_layernorm: "ffn_norm",
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};

/** @param {string} name */
function ggufName(name) {
  const [, layer, path = ""] = /^(?:model\.layers\.(\d+)\.)?(.+)\.weight$/.exec(name) ?? [];
  return `${layer === undefined ? "" : `blk.${layer}.`}${NAMES[path]}.weight`;
}

const number = (/** @type {"UInt32LE" | "Int32LE" | "FloatLE"} */ kind, /** @type {number} */ value) => {
  const bytes = Buffer.alloc(4);
  bytes[`write${kind}`](value);
  return bytes;
};
const u32 = (/** @type {number} */ value) => number("UInt32LE", value);
const u64 = (/** @type {number} */ value) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const text = (/** @type {string} */ value) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const padded = (/** @type {Buffer} */ bytes) =>
  Buffer.concat([bytes, Buffer.alloc((ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT)]);

/** @typedef {[type: keyof typeof TYPES, value: Buffer]} Value */
const asText = (/** @type {string} */ value) => /** @type {Value} */ (["text", text(value)]);
const asU32 = (/** @type {number} */ value) => /** @type {Value} */ (["u32", u32(value)]);
const asF32 = (/** @type {number} */ value) => /** @type {Value} */ (["f32", number("FloatLE", value)]);
const asList = (/** @type {keyof typeof TYPES} */ type, /** @type {Buffer[]} */ values) =>
  /** @type {Value} */ (["list", Buffer.concat([u32(TYPES[type]), u64(values.length), ...values])]);

/** @returns {Record<string, Value>} */
function metadata() {
  const { vocab, merges } = tokenizer.model;
  const special = new Set(tokenizer.added_tokens.map((/** @type {{ id: number }} */ { id }) => id));
  const named = Object.keys(vocab).sort((a, b) => vocab[a] - vocab[b]);
  // A table has a row for each token, and its own length here.
  const tokens = Array.from({ length: config.vocab_size }, (_, id) => named[id] ?? `[PAD${id}]`);
  const kinds = tokens.map((_, id) => (id >= named.length ? UNUSED : special.has(id) ? CONTROL : NORMAL));
  return {
    "general.architecture": asText("llama"),
    "general.name": asText("Tiny"),
    "general.alignment": asU32(ALIGNMENT),
    "llama.block_count": asU32(config.num_hidden_layers),
    "llama.context_length": asU32(config.max_position_embeddings),
    "llama.embedding_length": asU32(config.hidden_size),
    "llama.feed_forward_length": asU32(config.intermediate_size),
    "llama.attention.head_count": asU32(config.num_attention_heads),
    "llama.attention.head_count_kv": asU32(config.num_key_value_heads),
    "llama.attention.layer_norm_rms_epsilon": asF32(1e-6),
    "llama.rope.freq_base": asF32(10_000),
    "llama.rope.dimension_count": asU32(config.hidden_size / config.num_attention_heads),
    "llama.vocab_size": asU32(config.vocab_size),
    "tokenizer.ggml.model": asText("gpt2"),
    "tokenizer.ggml.pre": asText("gpt-2"),
    "tokenizer.ggml.tokens": asList("text", tokens.map(text)),
    "tokenizer.ggml.token_type": asList(
      "i32",
      kinds.map((kind) => number("Int32LE", kind)),
    ),
    "tokenizer.ggml.merges": asList(
      "text",
      merges.map((/** @type {string[]} */ pair) => text(pair.join(" "))),
    ),
    "tokenizer.ggml.bos_token_id": asU32(config.bos_token_id),
    "tokenizer.ggml.eos_token_id": asU32(config.eos_token_id),
  };
}

/** @returns {Buffer} */
export function tinyGguf() {
  const entries = Object.entries(metadata());
  const all = tensors();
  let offset = 0;
  const heads = all.map(([name, { shape, bytes }]) => {
    // The innermost dimension comes first.
    const head = [text(ggufName(name)), u32(shape.length), ...[...shape].reverse().map(u64), u32(F32), u64(offset)];
    offset += padded(Buffer.from(bytes)).length;
    return Buffer.concat(head);
  });
  const head = [
    Buffer.from("GGUF"),
    u32(3),
    u64(all.length),
    u64(entries.length),
    ...entries.map(([key, [type, value]]) => Buffer.concat([text(key), u32(TYPES[type]), value])),
    ...heads,
  ];
  return Buffer.concat([padded(Buffer.concat(head)), ...all.map(([, { bytes }]) => padded(Buffer.from(bytes)))]);
}
