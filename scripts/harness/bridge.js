/**
 * Passes the events and files of a job to the script that opened this page.
 */

/** Bytes a message: a whole model in one would be more than the bridge to the script carries. */
const PORTION = 3 * 2 ** 20;

/** @typedef {{ url: string, name: string }} RemoteFile */

/** Set by the script that opened this page. @type {(event: unknown) => Promise<void>} */
export const report = (event) => /** @type {any} */ (globalThis).webtuneReport(event);

/** @param {RemoteFile} file */
export async function fetchFile({ url, name }) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${name}: the server answered ${response.status}`);
  return response.blob();
}

/** @param {Uint8Array} bytes */
function toBase64(bytes) {
  let text = "";
  // In portions, because a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
}

/**
 * Sends a file to the script, portion after portion.
 * @param {import("webtune").ExportedFile} file
 * @param {string} [folder] where it belongs
 * @param {number} [from] where the bytes begin in the file
 */
export async function send({ path, bytes }, folder = "adapter", from = 0) {
  let at = 0;
  // Once at least: an empty file is a file too.
  do {
    await report({ type: "file", folder, path, at: from + at, base64: toBase64(bytes.subarray(at, at + PORTION)) });
    at += PORTION;
  } while (at < bytes.length);
}
