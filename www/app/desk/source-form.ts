/** Turns the form of a model's source into the source to load, or says what is missing. */
import type { KeptSource, ModelSource } from "webtune";
import type { Folder } from "../ui/files";

export interface SourceForm {
  kind: "default" | "files" | "web";
  folder?: Folder;
  address: string;
  revision: string;
  hubUrl: string;
  accessToken: string;
}

/** What may be stored: no token, and of files only where they were. */
export interface KeptForm extends Pick<SourceForm, "kind" | "address" | "revision" | "hubUrl"> {
  folderName: string;
  hadToken: boolean;
}

/** What a stored form lacks. */
export interface Missing {
  folder?: Folder;
  accessToken?: string;
}

/** The model that a desk offers first. */
export interface DefaultModel {
  /** A repository id. */
  name: string;
  source: ModelSource;
  /** In a few words. */
  text: string;
}

export const emptyForm: SourceForm = { kind: "default", address: "", revision: "", hubUrl: "", accessToken: "" };

/** `default` means the preset. */
export function sourceOf(form: SourceForm, preset: DefaultModel): ModelSource | string {
  if (form.kind === "default") return preset.source;
  if (form.kind === "files") {
    if (!form.folder) return "Choose the model's folder or its files first.";
    return { files: form.folder.files, ...(form.folder.name ? { name: form.folder.name } : {}) };
  }
  const address = form.address.trim();
  if (address === "") return `Type a Hugging Face repository id, such as ${preset.name}, or a web address.`;
  if (/^https?:\/\//i.test(address)) return { url: address.endsWith("/") ? address : `${address}/` };
  return {
    repository: address,
    ...(form.revision.trim() ? { revision: form.revision.trim() } : {}),
    ...(form.hubUrl.trim() ? { hubUrl: form.hubUrl.trim() } : {}),
    ...(form.accessToken.trim() ? { accessToken: form.accessToken.trim() } : {}),
  };
}

/** The form that describes a kept model. */
export function formOfKept(kept: KeptSource, preset: DefaultModel): SourceForm {
  const { source } = preset;
  if ("url" in kept) {
    const isPreset = "url" in source && source.url === kept.url;
    return isPreset ? emptyForm : { ...emptyForm, kind: "web", address: kept.url };
  }
  const { repository, revision = "", hubUrl = "" } = kept;
  const isPreset = "repository" in source && source.repository === repository && !revision && !hubUrl;
  return isPreset ? emptyForm : { ...emptyForm, kind: "web", address: repository, revision, hubUrl };
}

export function keptForm({ kind, address, revision, hubUrl, folder, accessToken }: SourceForm): KeptForm {
  const hadToken = kind === "web" && accessToken.trim() !== "";
  return { kind, address, revision, hubUrl, folderName: folder?.name ?? "", hadToken };
}

export function formOf({ kind, address, revision, hubUrl }: KeptForm, missing: Missing): SourceForm {
  return { kind, address, revision, hubUrl, accessToken: "", ...missing };
}
