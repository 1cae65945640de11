/** Says which servers a model's source is read from, as `connect-src` of a Content Security Policy writes them. */
import type { SettledSource } from "./settle.js";

export const HUB = "https://huggingface.co";
/** The hub sends files from hosts of its own, to which it redirects. */
const HUB_HOSTS = [HUB, "https://*.huggingface.co", "https://*.hf.co"];

/** Besides the page's own server, which needs no mention. Nothing for files. */
export function reachOf(source: SettledSource): string[] {
  if ("files" in source || "folder" in source) return [];
  if ("url" in source) return ofFolder(new URL(source.url));
  return source.hubUrl === undefined ? HUB_HOSTS : ofHub(new URL(source.hubUrl));
}

function ofFolder({ protocol, origin }: URL): string[] {
  if (origin === HUB) return HUB_HOSTS;
  return /^https?:$/.test(protocol) ? [origin] : [protocol];
}

/** Where another hub keeps its files is known to that hub alone, so that every https server stays allowed. */
function ofHub({ protocol, origin, hostname }: URL): string[] {
  return origin === HUB ? HUB_HOSTS : [origin, `${protocol}//${hostname}:*`, "https:"];
}
