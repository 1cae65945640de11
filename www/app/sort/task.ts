/** The classifier's calls into the package. */
import { TextClassifier } from "webtune";
import type { Task } from "../desk/task";
import { sortFields } from "./options";
import type { SortTypes } from "./state";

export const sortTask: Task<SortTypes> = {
  fields: sortFields,
  load: (source, options) => TextClassifier.load(source, options),
  train: (tuner, rows, options) =>
    tuner.train(
      rows.map(({ text, label }) => ({ text: text.trim(), label: label.trim() })),
      options,
    ),
};
