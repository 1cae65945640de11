/**
 * From the first bytes of a file that is no text to what it seems to be instead, and what helps.
 */

const EXPORT_ADVICE = "export the rows as CSV, TSV or JSON lines and choose that file";

/** First bytes of files that people take for tables, in Latin-1. */
const MAGIC: readonly [start: string, what: string, advice: string][] = [
  [
    "PK\x03\x04",
    "an Excel workbook (.xlsx) or another zip archive",
    "in Excel choose Save As, CSV UTF-8, and choose that file",
  ],
  ["\xD0\xCF\x11\xE0", "an old Excel workbook (.xls)", EXPORT_ADVICE],
  ["%PDF", "a PDF document", EXPORT_ADVICE],
  ["\x89PNG", "a PNG image", EXPORT_ADVICE],
  ["\xFF\xD8\xFF", "a JPEG image", EXPORT_ADVICE],
  ["GIF8", "a GIF image", EXPORT_ADVICE],
  ["PAR1", "a Parquet file", EXPORT_ADVICE],
  ["SQLite format 3\0", "an SQLite database", EXPORT_ADVICE],
  ["{\\rtf", "a rich text document (.rtf)", EXPORT_ADVICE],
];

/** What a file is that begins so, as the end of a sentence; undefined if it may be text in UTF-8. */
export function notText(start: Uint8Array): string | undefined {
  const latin = String.fromCharCode(...start.subarray(0, 64));
  const known = MAGIC.find(([magic]) => latin.startsWith(magic));
  if (known) return `this looks like ${known[1]}; ${known[2]}`;
  // Without its mark, UTF-16 of Latin letters has a zero as every second byte.
  const zeros = (first: number): boolean => [...latin].every((char, at) => at % 2 !== first || char === "\0");
  if (latin.length >= 4 && zeros(0) !== zeros(1)) {
    return "this looks like UTF-16 text without a byte order mark; save it as UTF-8, or name its encoding (utf-16le or utf-16be)";
  }
  return undefined;
}
