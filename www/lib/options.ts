/**
 * What every option is, as the engine has it: for forms and help texts.
 */
import { OPTIONS, type OptionSpec } from "./types/options.js";

/** The calls whose options are described: `train` of the two classes, `generate`, and `classify` of a language model. */
export type DescribedCall = keyof typeof OPTIONS;

/** Name, type, default, range and meaning of every option of a call. */
export function describeOptions(call: DescribedCall): readonly OptionSpec[] {
  return OPTIONS[call];
}
