/**
 * What is used of the hub's library. The package that is published has the code itself in this file's place: a worker has no way to find
 * another package by its name, unless a bundler does it.
 */
export {
  fileDownloadInfo,
  HubApiError,
  InvalidApiResponseFormatError,
  type ListFileEntry,
  listFiles,
  modelInfo,
} from "@huggingface/hub";
