/**
 * Installs transformers.js, which runs ONNX exports, in the cache folder: 480 MB, most of it onnxruntime's binaries for every platform,
 * which nobody needs who does not run these checks.
 */
import { extraPackages } from "../../scripts/extra-packages.mjs";

/** @returns {Promise<string>} the folder with its packages */
export function transformersJs() {
  return extraPackages({
    from: "tests/exports/transformers-js",
    to: "exports-transformers-js",
    words: "installing transformers.js with npm, once (480 MB)",
  });
}
