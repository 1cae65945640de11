/** Where the two tasks of the commands differ: how rows are read, what a test measures, which folders formats go to. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { TextClassifier } from "../classifier.js";
import { LanguageModel } from "../language.js";
import { type RunContext, RunRecorder } from "../record/record.js";
import { recordToJson } from "../record/record-json.js";
import type { ModelSource } from "../sources/settle.js";
import { parseExamples, parseTextRows } from "../standalone.js";
import type { LoadOptions } from "../tuner.js";
import type { Example, ExportFormat } from "../types/engine.js";
import type { TaskName, Tasks } from "../worker/messages.js";
import type { ParseChoice, RunOptions } from "./checkpoint.js";
import { Failure } from "./failure.js";
import {
  classificationMetrics,
  concludeClassification,
  concludeLanguage,
  languageMetrics,
  type Measured,
  type OwnEvent,
  type Tested,
  tellClassification,
  tellLanguage,
  writePredictions,
} from "./reports.js";

export interface Models {
  classify: TextClassifier;
  language: LanguageModel;
}

/** Gathers what metrics.json holds of a run. */
export interface Recorder<Task extends TaskName> {
  take(event: Tasks[Task]["event"]): void;
  metrics(measured: Measured<Task>): object;
}

export interface Desk<Task extends TaskName> {
  /** Tells what the reader found out about the file. */
  read(file: string, parse: ParseChoice | undefined): Promise<Tasks[Task]["row"][]>;
  /** What cannot be asked of what is trained would be found only after training. @throws Failure */
  checkTest(rows: readonly Tasks[Task]["row"][], tests: readonly Tasks[Task]["row"][]): void;
  load(source: ModelSource, options: LoadOptions): Promise<Models[Task]>;
  /** @param options Of the run. @param file What errors call the rows. */
  test(
    model: Models[Task],
    rows: readonly Tasks[Task]["row"][],
    options: RunOptions,
    file: string,
  ): Promise<Tested[Task]>;
  /** Formats that are written besides those that were named; undefined for the method's own. */
  readonly always: readonly undefined[];
  /** Where formats go that have a folder of their own. */
  readonly folders: Readonly<Partial<Record<ExportFormat, string>>>;
  recorder(context: RunContext): Recorder<Task>;
  tell(event: Tasks[Task]["event"] | OwnEvent): void;
  /** Writes what there is besides metrics.json. */
  write(out: string, measured: Measured<Task>): void;
  conclude(measured: Measured<Task>): void;
}

/** Of rows, the texts that a reader takes. @param file Its path. */
async function contentOf(file: string): Promise<{ name: string; bytes: Uint8Array }> {
  return { name: basename(file), bytes: await readFile(file) };
}

function checkTests(rows: readonly Example[], tests: readonly Example[]): void {
  const kindOf = (row: Example | undefined): string =>
    row?.textPair === undefined ? "single texts" : "pairs of texts";
  const other = tests.findIndex((test) => kindOf(test) !== kindOf(rows[0]));
  if (other >= 0) {
    const found = kindOf(tests[other]);
    throw new Failure(`test example ${other + 1}: expected ${kindOf(rows[0])}, as trained, found ${found}`);
  }
  const known = new Set(rows.flatMap(({ label }) => label));
  const one = rows.every(({ label }) => typeof label === "string");
  for (const [index, { label }] of tests.entries()) {
    const names = new Set([label].flat());
    if (one && names.size !== 1) {
      throw new Failure(`test example ${index + 1}: expected one label, as trained, found ${names.size}`);
    }
    const stranger = [...names].find((name) => !known.has(name));
    if (stranger === undefined) continue;
    throw new Failure(`test example ${index + 1}: the label "${stranger}" is not among the training labels`);
  }
}

export const CLASSIFICATION: Desk<"classify"> = {
  async read(path, parse) {
    const { name, bytes } = await contentOf(path);
    const { rows, ...how } = await parseExamples(bytes, name, parse);
    tellClassification({ type: "read", file: name, ...how });
    return rows.map(({ row: _number, ...example }) => example);
  },
  checkTest: checkTests,
  load: (source, options) => TextClassifier.load(source, options),
  test: (model, rows) => model.evaluate(rows),
  always: [undefined],
  folders: { merged: "merged", onnx: "onnx", "onnx-fp16": "onnx-fp16" },
  recorder(context) {
    const recorder = new RunRecorder(context);
    return {
      take: (event) => recorder.take(event),
      // Without the rows' texts.
      metrics: (measured) => classificationMetrics(measured, JSON.parse(recordToJson(recorder.finish()))),
    };
  },
  tell: tellClassification,
  write: (out, { finished, tested }) => writePredictions(out, (tested ?? finished.evaluation).rows),
  conclude: concludeClassification,
};

export const LANGUAGE: Desk<"language"> = {
  async read(path, parse) {
    const file = await contentOf(path);
    const { rows, ...how } = await parseTextRows(file, parse);
    tellLanguage({ type: "read", file: file.name, emptyRows: [], ...how });
    return rows;
  },
  checkTest: () => undefined,
  load: (source, options) => LanguageModel.load(source, options),
  test: async (model, rows, options, file) => ({
    before: await model.evaluate(rows, { ...options, which: "baseline", file }),
    after: await model.evaluate(rows, { ...options, which: "tuned", file }),
  }),
  always: [],
  folders: { gguf: "gguf", merged: "merged" },
  recorder: () => ({ take: () => undefined, metrics: languageMetrics }),
  tell: tellLanguage,
  write: () => undefined,
  conclude: concludeLanguage,
};
