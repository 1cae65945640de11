/**
 * The language model that the writing desk offers first: the copy on the page's own server, if it has one as under `npm start`; if not, the
 * repository on the hub.
 */
import { keptModels } from "webtune";
import type { DefaultModel } from "../desk/source-form";

const REPOSITORY = "HuggingFaceTB/SmolLM2-135M-Instruct";
const COPY = new URL("models/SmolLM2-135M-Instruct/SmolLM2-135M-Instruct.Q4_1.gguf", document.baseURI).href;

export const onServer: DefaultModel = {
  name: REPOSITORY,
  source: { url: COPY, name: REPOSITORY },
  text: "Answers in English. About 98 MB (4-bit weights) from this page's server, Apache-2.0.",
};

export const onHub: DefaultModel = {
  name: REPOSITORY,
  source: { repository: REPOSITORY },
  text: "Answers in English. About 270 MB from Hugging Face, Apache-2.0.",
};

/** Until the server has answered. */
export const undecided: DefaultModel = { ...onServer, text: "Answers in English, Apache-2.0." };

/** Under `npm start`, whose server keeps a request for the file until it has fetched it. */
export const coming: DefaultModel = {
  ...onServer,
  text: "Answers in English, Apache-2.0. This page's server is fetching it (98 MB); loading it waits for that.",
};

let found: Promise<DefaultModel> | undefined;

/** Asks the server once. One that is still fetching the file answers when it has it. */
export function findPreset(): Promise<DefaultModel> {
  found ??= isServed().then((is) => (is ? onServer : onHub));
  return found;
}

async function isServed(): Promise<boolean> {
  try {
    const { ok, headers } = await fetch(COPY, { method: "HEAD", cache: "no-store" });
    // Some servers answer every address with a page.
    return ok && !/^text\/html/i.test(headers.get("content-type") ?? "");
  } catch {
    // Without a network only what is kept in the browser loads.
    return (await keptModels()).some(({ id }) => id === COPY);
  }
}
