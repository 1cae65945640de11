/** Labels a text with the tuned model, and with the best baseline to compare. */
import type { Prediction, TextClassifier, TextInput } from "webtune";
import type { ModelActions } from "../../desk/actions/model";
import { codeOf, messageOf } from "../../ui/format";
import type { SortTypes } from "../state";

export interface Tried {
  tuned: Prediction;
  baseline?: Prediction;
  /** Why there is nothing to compare with. */
  baselineMissing?: string;
}

export class PredictActions {
  constructor(private readonly model: ModelActions<SortTypes>) {}

  predict(text: TextInput): Promise<Tried> {
    return this.model.use((tuner) => both(tuner, text));
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
