/** How a table may be written, in words to choose from. */
import type { TextEncoding } from "webtune";

export const delimiters = [
  { value: ",", label: "commas" },
  { value: ";", label: "semicolons" },
  { value: "\t", label: "tabs" },
  { value: "|", label: "pipes" },
];

export const encodings: { value: TextEncoding; label: string }[] = [
  { value: "utf-8", label: "UTF-8" },
  { value: "utf-16le", label: "UTF-16, little-endian" },
  { value: "utf-16be", label: "UTF-16, big-endian" },
  { value: "windows-1252", label: "Windows-1252" },
];
