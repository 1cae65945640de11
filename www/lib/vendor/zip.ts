/** What is used of `fflate`. */
export { unzipSync } from "fflate";
