/**
 * What a person types or chooses as a model's source becomes the source that is meant, and comes back into the form.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { loadPage, removePage } from "./page-under-test.mjs";

const { form, preset } = await loadPage({ form: "desk/source-form.ts", preset: "write/preset.ts" });
const { emptyForm, formOfKept, keptForm, formOf, lastingForm, sourceOf } = form;
const { onHub, onServer } = preset;
after(removePage);

const typed = (address, more = {}) => sourceOf({ ...emptyForm, kind: "web", address, ...more }, onServer);

test("an address is a repository, a file in one, a folder, or a GGUF file", () => {
  const gguf = "Q4/x-Q4_0.gguf";
  /** @type {[string, object][]} */
  const cases = [
    ["a/b", { repository: "a/b" }],
    [" gpt2 ", { repository: "gpt2" }],
    [`a/b/${gguf}`, { repository: "a/b", file: gguf }],
    ["https://huggingface.co/a/b", { repository: "a/b" }],
    ["https://huggingface.co/a/b/tree/v2", { repository: "a/b", revision: "v2" }],
    [`https://huggingface.co/a/b/blob/main/${gguf}`, { repository: "a/b", file: gguf }],
    [
      `https://hf.co/a/b/resolve/refs%2Fpr%2F1/${gguf}?download=true`,
      { repository: "a/b", file: gguf, revision: "refs/pr/1" },
    ],
    ["https://huggingface.co/a/b/resolve/main/sub/", { url: "https://huggingface.co/a/b/resolve/main/sub/" }],
    ["http://host/models/x.gguf?sig=1", { url: "http://host/models/x.gguf?sig=1" }],
    ["http://host/models/x", { url: "http://host/models/x" }],
    ["https://nothuggingface.co/a/b", { url: "https://nothuggingface.co/a/b" }],
  ];
  for (const [address, source] of cases) assert.deepEqual(typed(address), source, address);
  const more = { revision: "v1", hubUrl: "http://hub", accessToken: "hf_x" };
  assert.deepEqual(typed(`a/b/${gguf}`, more), { repository: "a/b", file: gguf, ...more });
  assert.match(typed(" "), /such as HuggingFaceTB\/SmolLM2-135M-Instruct/);
});

test("a kept model comes back as what it was", () => {
  const kept = [
    { repository: "a/b", file: "x.gguf", revision: "v2", hubUrl: "http://hub" },
    { repository: "a/b" },
    { url: "http://host/x.gguf" },
  ];
  for (const source of kept) assert.deepEqual(sourceOf(formOfKept(source, onServer), onServer), source);
  assert.equal(formOfKept(onServer.source, onServer).kind, "default");
  assert.equal(formOfKept(onHub.source, onServer).kind, "web", "the hub's is another model than the server's copy");
  assert.equal(formOfKept(onHub.source, onHub).kind, "default");
});

test("a run that is gone on with later finds the model that it began with, wherever the default is then", () => {
  const later = (one) => formOf(keptForm(lastingForm(emptyForm, one)), {});
  assert.deepEqual(sourceOf(later(onHub), onServer), onHub.source);
  assert.deepEqual(sourceOf(later(onServer), onServer), onServer.source);
});
