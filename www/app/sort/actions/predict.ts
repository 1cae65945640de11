/** Labels a text with the tuned model, and with the best baseline to compare; scores both on a file of labelled texts. */
import {
  type Evaluation,
  type Example,
  type Prediction,
  parseExamples,
  type Report,
  type TextClassifier,
  type TextInput,
} from "webtune";
import type { ModelActions } from "../../desk/actions/model";
import { codeOf, messageOf } from "../../ui/format";
import type { SortTypes } from "../state";

const WITHOUT_BASELINES =
  "There is nothing to compare it with: the adapter came without baselines, which only a run on this page measures.";

export interface Tried {
  tuned: Prediction;
  baseline?: Prediction;
  /** Why there is nothing to compare with. */
  baselineMissing?: string;
}

/** How well a file's labels were found. */
export interface Measured {
  name: string;
  tuned: Report;
  /** Next to the baselines. */
  evaluation?: Evaluation;
  /** Why there are none. */
  baselinesMissing?: string;
}

export class PredictActions {
  constructor(private readonly model: ModelActions<SortTypes>) {}

  predict(text: TextInput): Promise<Tried> {
    return this.model.use((tuner) => both(tuner, text));
  }

  async measure(name: string, content: Blob): Promise<Measured> {
    const { rows } = await parseExamples(content, name);
    const examples = rows.map(({ text, textPair, label }) => ({
      text: text.trim(),
      ...(textPair === undefined ? {} : { textPair: textPair.trim() }),
      label,
    }));
    return { name, ...(await this.model.use((tuner) => scored(tuner, examples))) };
  }
}

async function scored(tuner: TextClassifier, examples: readonly Example[]): Promise<Omit<Measured, "name">> {
  try {
    const evaluation = await tuner.evaluate(examples);
    return { tuned: evaluation.tuned, evaluation };
  } catch (error) {
    if (codeOf(error) !== "invalidState") throw error;
    const { tuned } = await tuner.score(examples);
    return { tuned, baselinesMissing: WITHOUT_BASELINES };
  }
}

async function both(tuner: TextClassifier, text: TextInput): Promise<Tried> {
  const [tuned] = await tuner.predict([text], { which: "tuned" });
  if (!tuned) throw new Error("The engine returned no prediction for this text.");
  try {
    const [baseline] = await tuner.predict([text], { which: "baseline" });
    return baseline ? { tuned, baseline } : { tuned };
  } catch (error) {
    // An imported adapter brings no baseline; every other failure is one.
    if (codeOf(error) !== "invalidState") throw error;
    return { tuned, baselineMissing: messageOf(error) };
  }
}
