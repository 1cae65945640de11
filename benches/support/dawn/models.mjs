/**
 * Random models of any size without files: weights are made where they are read, from their place alone, so that every process has the same.
 */
import { byteTokenizer, llamaShapes, safetensorsHead } from "../random-llama.mjs";

/**
 * @typedef {{ path: string, size: number, read: (offset: number, length: number) => Promise<Uint8Array> }} SourceFile as www/lib has it
 * @typedef {import("../random-llama.mjs").Shape} Shape
 * @typedef {Record<string, any> & { vocab_size: number, hidden_size: number, num_hidden_layers: number, intermediate_size: number }} Config
 */

/** Deviation of the weights, which keeps activations of deep models in bounds. */
const DEVIATION = 0.03;
/** 1 in bfloat16. */
const ONE = 0x3f80;
const SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/** The upper half of a float32 between -a and a that only the place decides (the end of MurmurHash3). @param {number} place */
function noise(place) {
  let mixed = Math.imul(place ^ (place >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  const uniform = ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 31 - 1;
  FLOAT[0] = uniform * Math.sqrt(3) * DEVIATION;
  return /** @type {number} */ (BITS[0]) >>> 16;
}
const FLOAT = new Float32Array(1);
const BITS = new Uint32Array(FLOAT.buffer);

/** @param {string} path @param {Uint8Array} bytes @returns {SourceFile} */
const fileOf = (path, bytes) => ({
  path,
  size: bytes.length,
  read: async (offset, length) => bytes.slice(offset, offset + length),
});

/** @param {string} path @param {unknown} value */
const jsonFile = (path, value) => fileOf(path, Buffer.from(JSON.stringify(value)));

/** Norms' weights are 1, all other numbers noise. @param {Shape[]} shapes @returns {SourceFile} */
function weights(shapes) {
  const head = safetensorsHead(shapes);
  let end = 0;
  /** @type {[number, number][]} */
  const norms = [];
  for (const [name, shape] of shapes) {
    const begin = end;
    end += shape.reduce((a, b) => a * b, 1);
    if (/norm\.weight$/i.test(name)) norms.push([begin, end]);
  }
  return {
    path: "model.safetensors",
    size: head.length + 2 * end,
    read: async (offset, length) => {
      const bytes = new Uint8Array(length);
      bytes.set(head.subarray(offset, offset + length));
      const view = new DataView(bytes.buffer);
      const from = Math.max(0, offset - head.length) / 2;
      const to = (offset + length - head.length) / 2;
      const position = (/** @type {number} */ index) => head.length + 2 * index - offset;
      for (let index = from; index < to; index += 1) view.setUint16(position(index), noise(index), true);
      for (const [begin, after] of norms) {
        for (let index = Math.max(from, begin); index < Math.min(to, after); index += 1) {
          view.setUint16(position(index), ONE, true);
        }
      }
      return bytes;
    },
  };
}

/** @param {Config} config @returns {Shape[]} */
function bertShapes({ vocab_size, hidden_size: h, num_hidden_layers, intermediate_size, max_position_embeddings }) {
  /** @param {string} name @param {number} out @param {number} into @returns {Shape[]} */
  const linear = (name, out, into) => [
    [`${name}.weight`, [out, into]],
    [`${name}.bias`, [out]],
  ];
  /** @param {string} name @returns {Shape[]} */
  const norm = (name) => [
    [`${name}.weight`, [h]],
    [`${name}.bias`, [h]],
  ];
  /** @type {Shape[]} */
  const shapes = [
    ["embeddings.word_embeddings.weight", [vocab_size, h]],
    ["embeddings.position_embeddings.weight", [max_position_embeddings, h]],
    ["embeddings.token_type_embeddings.weight", [2, h]],
    ...norm("embeddings.LayerNorm"),
  ];
  for (let layer = 0; layer < num_hidden_layers; layer += 1) {
    const inside = [
      ...linear("attention.self.query", h, h),
      ...linear("attention.self.key", h, h),
      ...linear("attention.self.value", h, h),
      ...linear("attention.output.dense", h, h),
      ...norm("attention.output.LayerNorm"),
      ...linear("intermediate.dense", intermediate_size, h),
      ...linear("output.dense", h, intermediate_size),
      ...norm("output.LayerNorm"),
    ];
    shapes.push(...inside.map(([name, shape]) => /** @type {Shape} */ ([`encoder.layer.${layer}.${name}`, shape])));
  }
  return shapes;
}

/** One entry a word: w5 is 5. @param {number} size */
function wordTokenizer(size) {
  const words = Array.from({ length: size }, (_, id) => [SPECIAL[id] ?? `w${id}`, id]);
  const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const part = (/** @type {string} */ id) => ({ SpecialToken: { id, type_id: 0 } });
  const single = [part("[CLS]"), { Sequence: { id: "A", type_id: 0 } }, part("[SEP]")];
  const named = (/** @type {string} */ id) => [id, { id, ids: [SPECIAL.indexOf(id)], tokens: [id] }];
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map((content, id) => ({ id, content, ...special })),
    normalizer: null,
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single,
      pair: [...single, { Sequence: { id: "B", type_id: 1 } }],
      special_tokens: Object.fromEntries(["[CLS]", "[SEP]"].map(named)),
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(words),
    },
  };
}

/** The files of a random model; `config` is its config.json, of a BERT or a Llama. @param {Config} config */
export function randomModel(config) {
  const isBert = config.model_type === "bert";
  const shapes = isBert ? bertShapes(config) : llamaShapes(/** @type {any} */ (config));
  const tokenizer = isBert ? wordTokenizer(config.vocab_size) : byteTokenizer(config.vocab_size);
  const settings = isBert
    ? { tokenizer_class: "BertTokenizer" }
    : { tokenizer_class: "GPT2Tokenizer", bos_token: "<|endoftext|>", eos_token: "<|endoftext|>" };
  return [
    jsonFile("config.json", config),
    jsonFile("tokenizer.json", tokenizer),
    jsonFile("tokenizer_config.json", settings),
    weights(shapes),
  ];
}

/**
 * Rows of so many tokens each, special ones included.
 * @param {Config} config @param {number} count @param {number} tokens
 * @returns {any[]}
 */
export function randomRows(config, count, tokens) {
  const rows = Array.from({ length: count }, (_, row) => row);
  const place = (/** @type {number} */ row, /** @type {number} */ index) => (row * tokens + index) * 7919;
  const words = (/** @type {number} */ row, /** @type {number} */ length, /** @type {(n: number) => string} */ word) =>
    Array.from({ length }, (_, index) => word(place(row, index))).join(" ");
  if (config.model_type === "bert") {
    const known = config.vocab_size - SPECIAL.length;
    const word = (/** @type {number} */ n) => `w${SPECIAL.length + (n % known)}`;
    return rows.map((row) => ({ text: words(row, tokens - 2, word), label: row % 2 === 0 ? "even" : "odd" }));
  }
  // A letter alone is a token, with the space before it; the last token is the text's end.
  const letter = (/** @type {number} */ n) => String.fromCharCode(97 + (n % 26));
  return rows.map((row) => ({ row: row + 1, content: { text: words(row, tokens - 1, letter) } }));
}
