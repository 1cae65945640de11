/**
 * Writes a Llama into a folder: the sizes of SmolLM2-135M, random weights in bfloat16 and a tokenizer of as many entries.
 * What it writes is noise; how much memory and time it takes is the real model's. Needs no download, and 270 MB of disk.
 */
import { closeSync, existsSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/** As in HuggingFaceTB/SmolLM2-135M. */
export const CONFIG = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 49152,
  hidden_size: 576,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  intermediate_size: 1536,
  max_position_embeddings: 8192,
  hidden_act: "silu",
  rms_norm_eps: 1e-5,
  rope_theta: 100000,
  tie_word_embeddings: true,
  initializer_range: 0.041666666666666664,
  bos_token_id: 0,
  eos_token_id: 0,
};

/** Written at once; a tensor takes many of them. */
const PIECE = 1 << 20;

/** @typedef {[string, number[]]} Shape a tensor's name, and how long it is in each direction */

/** @param {Pick<typeof CONFIG, "vocab_size" | "hidden_size" | "intermediate_size" | "num_hidden_layers" | "num_attention_heads" | "num_key_value_heads">} config */
export function llamaShapes(config) {
  const { vocab_size, hidden_size: h, intermediate_size: wide, num_hidden_layers } = config;
  const keys = (h / config.num_attention_heads) * config.num_key_value_heads;
  /** @type {Shape[]} */
  const all = [
    ["model.embed_tokens.weight", [vocab_size, h]],
    ["model.norm.weight", [h]],
  ];
  for (let layer = 0; layer < num_hidden_layers; layer += 1) {
    /** @type {Shape[]} */
    const inside = [
      ["input_layernorm", [h]],
      ["post_attention_layernorm", [h]],
      ["self_attn.q_proj", [h, h]],
      ["self_attn.k_proj", [keys, h]],
      ["self_attn.v_proj", [keys, h]],
      ["self_attn.o_proj", [h, h]],
      ["mlp.gate_proj", [wide, h]],
      ["mlp.up_proj", [wide, h]],
      ["mlp.down_proj", [h, wide]],
    ];
    all.push(...inside.map(([name, shape]) => /** @type {Shape} */ ([`model.layers.${layer}.${name}.weight`, shape])));
  }
  return all;
}

/** Random bfloat16 numbers around 0 whose deviation is about that of the real model's fresh weights. */
function noise() {
  let state = 1;
  return (/** @type {number} */ count) => {
    const numbers = new Float32Array(count);
    for (let index = 0; index < count; index += 1) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      // uniform from -a to a deviates by a / sqrt(3)
      numbers[index] = (state / 2 ** 31 - 1) * Math.sqrt(3) * CONFIG.initializer_range;
    }
    const bits = new Uint32Array(numbers.buffer);
    return Uint16Array.from(bits, (word) => word >>> 16);
  };
}

/** What a safetensors file of bfloat16 numbers begins with. @param {Shape[]} shapes */
export function safetensorsHead(shapes) {
  /** @type {Record<string, unknown>} */
  const header = { __metadata__: { format: "pt" } };
  let end = 0;
  for (const [name, shape] of shapes) {
    const begin = end;
    end += 2 * shape.reduce((a, b) => a * b, 1);
    header[name] = { dtype: "BF16", shape, data_offsets: [begin, end] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, " ")]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded]);
}

/** @param {string} path */
function writeWeights(path) {
  const shapes = llamaShapes(CONFIG);
  const next = noise();
  // 1 in bfloat16
  const ones = (/** @type {number} */ count) => new Uint16Array(count).fill(0x3f80);
  const file = openSync(path, "w");
  try {
    writeSync(file, safetensorsHead(shapes));
    for (const [, shape] of shapes) {
      const values = shape.length === 1 ? ones : next;
      for (let left = shape.reduce((a, b) => a * b, 1); left > 0; left -= PIECE) {
        writeSync(file, new Uint8Array(values(Math.min(left, PIECE)).buffer));
      }
    }
  } finally {
    closeSync(file);
  }
}

/**
 * A byte-level BPE as GPT-2's: every byte, then ever longer strings of letters, each made of the one before and a letter.
 * @param {number} size entries, at least 300
 */
export function byteTokenizer(size = CONFIG.vocab_size) {
  const printable = (/** @type {number} */ byte) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let beyond = 256;
  const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : beyond++));
  const tokens = ["<|endoftext|>", ...bytes];
  const letters = "etaoinshrdlucmfwypvbgkjqxz".split("");
  const merges = [];
  // "\u0120" is how a space is spelt there
  let longest = ["\u0120", ...letters];
  while (tokens.length < size) {
    const longer = [];
    for (const start of longest) {
      for (const letter of letters) {
        if (tokens.length === size) break;
        merges.push([start, letter]);
        tokens.push(start + letter);
        longer.push(start + letter);
      }
    }
    longest = longer;
  }
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [{ id: 0, content: "<|endoftext|>", ...special }],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: byteLevel,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}

/** Makes the folder where it does not exist yet. @param {string} folder */
export function randomLlama(folder) {
  if (existsSync(join(folder, "config.json"))) return folder;
  mkdirSync(folder, { recursive: true });
  writeWeights(join(folder, "model.safetensors"));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(byteTokenizer()));
  writeFileSync(
    join(folder, "tokenizer_config.json"),
    JSON.stringify({ tokenizer_class: "GPT2Tokenizer", bos_token: "<|endoftext|>", eos_token: "<|endoftext|>" }),
  );
  // Last, so that a half-written folder is not taken for a whole one.
  writeFileSync(join(folder, "config.json.part"), JSON.stringify(CONFIG, null, 2));
  renameSync(join(folder, "config.json.part"), join(folder, "config.json"));
  return folder;
}
