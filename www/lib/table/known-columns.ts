/**
 * Names that columns of texts and labels have in public data sets: those of the engine's reader of examples (`src/data/columns.rs`, `src/data/pairs.rs`),
 * so that a file is read as examples from it would be.
 */

/** Names of text columns, most telling first. */
export const TEXT_NAMES: readonly string[] = [
  "text",
  "sentence",
  "question",
  "content",
  "input",
  "utterance",
  "query",
  "message",
  "body",
  "review",
  "comment",
  "document",
  "prompt",
  "phrase",
  "tweet",
  "headline",
  "title",
  "subject",
  "description",
  "comment_text",
  "review_text",
  "tweet_text",
  "tweets",
  "texts",
  "sentences",
  "reviews",
  "sentence1",
  "question1",
  "text1",
  "text_a",
];

/** Names of label columns. */
export const LABEL_NAMES: readonly string[] = [
  "label",
  "labels",
  "category",
  "intent",
  "class",
  "target",
  "topic",
  "sentiment",
  "tag",
  "output",
  "answer",
  "label_text",
  "label_name",
  "gold_label",
  "coarse_label",
  "y",
  "categories",
  "intents",
  "tags",
  "topics",
  "emotion",
  "emotions",
  "genre",
  "genres",
];

/** Names of columns that number the rows. */
export const ID_NAMES: readonly string[] = ["id", "idx", "index", "guid", "uuid", "_id", "row_id", "unnamed: 0"];

/** Names of two texts that are judged together, in the order in which a model reads them. */
export const PAIRS: readonly (readonly [first: string, second: string])[] = [
  ["sentence1", "sentence2"],
  ["sentence_1", "sentence_2"],
  ["sentence_a", "sentence_b"],
  ["sent1", "sent2"],
  ["s1", "s2"],
  ["text1", "text2"],
  ["text_1", "text_2"],
  ["text_a", "text_b"],
  ["text", "text_pair"],
  ["text", "textpair"],
  ["question1", "question2"],
  ["premise", "hypothesis"],
  ["claim", "evidence"],
  ["question", "answer"],
  ["question", "sentence"],
  ["question", "context"],
  ["question", "passage"],
  ["query", "passage"],
  ["query", "document"],
  ["query", "product_title"],
  ["query", "title"],
  ["anchor", "positive"],
];

const same = (name: string): string => name.trim().toLowerCase();

export const isAmong = (name: string, known: readonly string[]): boolean => known.includes(same(name));

/** Whether these are the names of a text's and a label's column, or of a pair of texts, which only a header has. */
export function namesBoth(names: readonly string[]): boolean {
  const any = (known: readonly string[]): boolean => names.some((name) => isAmong(name, known));
  const have = new Set(names.map(same));
  const isPair = PAIRS.some(([first, second]) => have.has(first) && have.has(second));
  return (any(TEXT_NAMES) && any(LABEL_NAMES)) || isPair;
}

/** The places of a known pair that this column belongs to, of columns that are `usable`: the first text, then the second. */
export function pairWith(
  names: readonly string[],
  column: number,
  usable: (column: number) => boolean,
): [first: number, second: number] | undefined {
  const own = same(names[column] ?? "");
  const place = (known: string): number =>
    names.findIndex((name, at) => same(name) === known && at !== column && usable(at));
  for (const [first, second] of PAIRS) {
    if (own !== first && own !== second) continue;
    const other = place(own === first ? second : first);
    if (other < 0) continue;
    return own === first ? [column, other] : [other, column];
  }
  return undefined;
}

/** The first column of the first known pair whose both columns are `usable`. */
export function firstOfPair(names: readonly string[], usable: (column: number) => boolean): number | undefined {
  const place = (known: string): number => names.findIndex((name, at) => same(name) === known && usable(at));
  for (const [first, second] of PAIRS) if (place(first) >= 0 && place(second) >= 0) return place(first);
  return undefined;
}
