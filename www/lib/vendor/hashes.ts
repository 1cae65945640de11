/** What is used of the library of hashes; in the package that is published, the code itself, as of the hub's. */
export { sha256 } from "@noble/hashes/sha2.js";
export { bytesToHex } from "@noble/hashes/utils.js";
