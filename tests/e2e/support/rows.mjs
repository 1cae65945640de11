/**
 * Writes a given number of rows of text and label as CSV, in words that the tiny tokenizer knows.
 */

const words = {
  story: ["the quiet story", "a short story", "many played", "spring story"],
  label: ["the label", "quoted label", "query times", "single label"],
};

/** Rows of two labels, all different. @param {number} perLabel */
export function csv(perLabel) {
  const rows = Object.entries(words).flatMap(([label, texts]) =>
    Array.from({ length: perLabel }, (_, index) => `${texts[index % texts.length]} ${index},${label}`),
  );
  return `text,label\n${rows.join("\n")}\n`;
}
