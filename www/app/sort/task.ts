/** The classifier's calls into the package. */
import { TextClassifier } from "webtune";
import type { DefaultModel } from "../desk/source-form";
import type { Task } from "../desk/task";
import { arePairs } from "./checks";
import { namesOf } from "./labels";
import { sortFields } from "./options";
import type { SortTypes } from "./state";

const REPOSITORY = "sentence-transformers/all-MiniLM-L6-v2";

export const sortPreset: DefaultModel = {
  name: REPOSITORY,
  // A copy of the repository, next to the page.
  source: { url: new URL("models/all-MiniLM-L6-v2/", document.baseURI).href, name: REPOSITORY },
  text: "Small and fast, for English. About 90 MB, Apache-2.0.",
};

export const sortTask: Task<SortTypes> = {
  name: "classify",
  preset: async () => sortPreset,
  fields: sortFields,
  load: (source, options) => TextClassifier.load(source, options),
  train: (tuner, rows, options, checkpoint, from) => {
    const pairs = arePairs(rows);
    const examples = rows.map(({ text, textPair = "", label }) => ({
      text: text.trim(),
      ...(pairs ? { textPair: textPair.trim() } : {}),
      label: typeof label === "string" ? label.trim() : namesOf(label),
    }));
    const all = { ...options, checkpoint };
    return from ? tuner.resume(from, examples, all) : tuner.train(examples, all);
  },
};
