/**
 * Which columns of a file hold the texts: those asked for, else those of known names, else the longest.
 */
import { optionError } from "../errors.js";
import { firstOfPair, ID_NAMES, isAmong, LABEL_NAMES, pairWith, TEXT_NAMES } from "./known-columns.js";

/** What a caller may settle of the columns. */
export interface ColumnOptions {
  /** A column's name, or `Column 2` where there is no header. */
  textColumn?: string | undefined;
  /** The column of the second text, for pairs. Default: the other one of a known pair; none where `textColumn` is given. */
  textPairColumn?: string | undefined;
}

/**
 * @param sample Cells of the first rows by column; a missing one is no text.
 * @throws WebtuneError `invalidOption` for a column that is not there.
 */
export function textColumns(
  names: readonly string[],
  sample: readonly (readonly (string | undefined)[])[],
  { textColumn, textPairColumn }: ColumnOptions,
): { text: number; pair: number | undefined } {
  const asked = askedColumn(names, "textColumn", textColumn);
  const second = askedColumn(names, "textPairColumn", textPairColumn);
  if (asked !== undefined && asked === second) {
    throw optionError("textPairColumn", `expected another column than the text's, "${names[asked]}"`);
  }
  const lengths = names.map((_, column) => sample.reduce((sum, row) => sum + (row[column]?.trim().length ?? 0), 0));
  const isIndex = (column: number): boolean =>
    [0, 1].some((from) => sample.length > 2 && sample.every((row, at) => row[column]?.trim() === String(at + from)));
  const holdsText = (column: number): boolean => column !== second && (lengths[column] ?? 0) > 0 && !isIndex(column);
  const known = TEXT_NAMES.map((name) => names.findIndex((one, at) => isAmong(one, [name]) && holdsText(at)));
  const text = asked ?? known.find((column) => column >= 0) ?? firstOfPair(names, holdsText) ?? longest();
  if (second !== undefined || asked !== undefined) return { text, pair: second };
  const [first, other] = pairWith(names, text, holdsText) ?? [text, undefined];
  return { text: first, pair: other };

  function longest(): number {
    const isOther = (name: string): boolean => isAmong(name, ID_NAMES) || isAmong(name, LABEL_NAMES);
    const rank = (column: number): number =>
      holdsText(column) && !isOther(names[column] ?? "") ? (lengths[column] ?? 0) : 0;
    return names.reduce((best, _, column) => (rank(column) > rank(best) ? column : best), second === 0 ? 1 : 0);
  }
}

function askedColumn(names: readonly string[], option: string, name: string | undefined): number | undefined {
  if (name === undefined) return undefined;
  const column = names.indexOf(name.trim());
  if (column >= 0) return column;
  const listed = names.map((one) => `"${one}"`).join(", ");
  throw optionError(option, `there is no column "${name}"; the columns are: ${listed}`);
}
