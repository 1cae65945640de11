/** Turns the form of a model's source into the source to load, or says what is missing. */
import type { ModelSource } from "webtune";
import type { Folder } from "../ui/files";

export interface SourceForm {
  kind: "default" | "files" | "web";
  folder?: Folder;
  address: string;
  revision: string;
  hubUrl: string;
  accessToken: string;
}

export const emptyForm: SourceForm = { kind: "default", address: "", revision: "", hubUrl: "", accessToken: "" };

/** @param preset what `default` means. @param example a repository id. */
export function sourceOf(form: SourceForm, preset: ModelSource, example: string): ModelSource | string {
  if (form.kind === "default") return preset;
  if (form.kind === "files") {
    if (!form.folder) return "Choose the model's folder or its files first.";
    return { files: form.folder.files, ...(form.folder.name ? { name: form.folder.name } : {}) };
  }
  const address = form.address.trim();
  if (address === "") return `Type a Hugging Face repository id, such as ${example}, or a web address.`;
  if (/^https?:\/\//i.test(address)) return { url: address.endsWith("/") ? address : `${address}/` };
  return {
    repository: address,
    ...(form.revision.trim() ? { revision: form.revision.trim() } : {}),
    ...(form.hubUrl.trim() ? { hubUrl: form.hubUrl.trim() } : {}),
    ...(form.accessToken.trim() ? { accessToken: form.accessToken.trim() } : {}),
  };
}
