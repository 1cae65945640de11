/**
 * Makes the files of a tiny BERT with a real tokenizer, whole or with one thing wrong, from nothing but a seed.
 * Its weights are noise: these tests look at messages and controls, not at what it learns.
 */
import { readFileSync } from "node:fs";

const fixtures = new URL("../../fixtures/", import.meta.url);
const HIDDEN = 32;
const LAYERS = 2;
const FEED_FORWARD = 64;
const POSITIONS = 128;

const tokenizer = readFileSync(new URL("tokenizer_wordpiece/tokenizer.json", fixtures));
const VOCABULARY = Object.keys(JSON.parse(tokenizer.toString()).model.vocab).length;

const config = {
  ...JSON.parse(readFileSync(new URL("bert/config.json", fixtures), "utf8")),
  hidden_size: HIDDEN,
  num_hidden_layers: LAYERS,
  intermediate_size: FEED_FORWARD,
  max_position_embeddings: POSITIONS,
  vocab_size: VOCABULARY,
};

/** @typedef {{ shape: number[], dtype: string, bytes: Uint8Array }} Tensor */

/** Numbers between -0.1 and 0.1, the same on every machine. @param {number} seed */
export function noise(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32 - 0.5) / 5;
  };
}

/** @returns {Record<string, number[]>} */
function shapes() {
  /** @type {Record<string, number[]>} */
  const all = {
    "embeddings.word_embeddings.weight": [VOCABULARY, HIDDEN],
    "embeddings.position_embeddings.weight": [POSITIONS, HIDDEN],
    "embeddings.token_type_embeddings.weight": [2, HIDDEN],
  };
  const linear = (/** @type {string} */ name, /** @type {number} */ out, /** @type {number} */ into) => {
    all[`${name}.weight`] = [out, into];
    all[`${name}.bias`] = [out];
  };
  const norm = (/** @type {string} */ name) => {
    all[`${name}.weight`] = [HIDDEN];
    all[`${name}.bias`] = [HIDDEN];
  };
  norm("embeddings.LayerNorm");
  for (let layer = 0; layer < LAYERS; layer += 1) {
    const at = `encoder.layer.${layer}`;
    for (const part of ["query", "key", "value"]) linear(`${at}.attention.self.${part}`, HIDDEN, HIDDEN);
    linear(`${at}.attention.output.dense`, HIDDEN, HIDDEN);
    norm(`${at}.attention.output.LayerNorm`);
    linear(`${at}.intermediate.dense`, FEED_FORWARD, HIDDEN);
    linear(`${at}.output.dense`, HIDDEN, FEED_FORWARD);
    norm(`${at}.output.LayerNorm`);
  }
  linear("pooler.dense", HIDDEN, HIDDEN);
  return all;
}

/** @returns {Map<string, Tensor>} */
export function tensors() {
  const next = noise(7);
  return new Map(
    Object.entries(shapes()).map(([name, shape]) => {
      const size = shape.reduce((a, b) => a * b, 1);
      const values = Float32Array.from({ length: size }, () => (name.endsWith("LayerNorm.weight") ? 1 : next()));
      return [name, { shape, dtype: "F32", bytes: new Uint8Array(values.buffer) }];
    }),
  );
}

/** @param {Map<string, Tensor>} all @returns {Buffer} */
export function safetensors(all) {
  /** @type {Record<string, unknown>} */
  const header = { __metadata__: { format: "pt" } };
  let at = 0;
  for (const [name, { shape, dtype, bytes }] of all) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, " ")]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, ...[...all.values()].map(({ bytes }) => bytes)]);
}

/**
 * A model's files as a file input takes them.
 * @param {{ config?: object, weights?: Buffer }} [wrong] what takes the place of the right file
 */
export function tinyModel(wrong = {}) {
  const json = (/** @type {unknown} */ value) => Buffer.from(JSON.stringify(value));
  return [
    { name: "config.json", mimeType: "application/json", buffer: json({ ...config, ...wrong.config }) },
    { name: "tokenizer.json", mimeType: "application/json", buffer: tokenizer },
    {
      name: "model.safetensors",
      mimeType: "application/octet-stream",
      buffer: wrong.weights ?? safetensors(tensors()),
    },
  ];
}

/** The weights after a change. @param {(all: Map<string, Tensor>) => void} change */
export function changed(change) {
  const all = tensors();
  change(all);
  return safetensors(all);
}

/** Far fewer rows of word embeddings than the tokenizer has words: a few more words are fine while no text holds them. */
export function smallVocabulary() {
  const rows = VOCABULARY - 200;
  const weights = changed((all) => {
    const name = "embeddings.word_embeddings.weight";
    const whole = all.get(name);
    if (whole) all.set(name, { ...whole, shape: [rows, HIDDEN], bytes: whole.bytes.slice(0, rows * HIDDEN * 4) });
  });
  return { weights, config: { vocab_size: rows } };
}
