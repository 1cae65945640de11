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
  const { repository, file, revision = form.revision.trim() } = repositoryOf(address);
  if (repository === undefined) return { url: address };
  return {
    repository,
    ...(file ? { file } : {}),
    ...(revision ? { revision } : {}),
    ...(form.hubUrl.trim() ? { hubUrl: form.hubUrl.trim() } : {}),
    ...(form.accessToken.trim() ? { accessToken: form.accessToken.trim() } : {}),
  };
}

/** `owner/name` and a GGUF file in it. */
const FILE = /^([\w.-]+\/[\w.-]+)\/(.+\.gguf)$/i;
/** Of a repository or a GGUF file on the hub, as a browser shows it: the pages there are no files. */
const PAGE =
  /^https?:\/\/(?:www\.)?(?:huggingface\.co|hf\.co)\/([\w.-]+\/[\w.-]+)(?:\/(?:tree|blob|resolve|raw)\/([^/?#]+)(?:\/([^?#]+\.gguf))?)?\/?(?:[?#].*)?$/i;

function repositoryOf(address: string): { repository?: string; file?: string; revision?: string } {
  const [, repository, revision, file] = PAGE.exec(address) ?? [];
  if (repository !== undefined) {
    return {
      repository,
      ...(file ? { file: decodeURI(file) } : {}),
      ...(revision && revision !== "main" ? { revision: decodeURIComponent(revision) } : {}),
    };
  }
  if (/^https?:\/\//i.test(address)) return {};
  const [, owner = address, inside] = FILE.exec(address) ?? [];
  return { repository: owner, ...(inside ? { file: inside } : {}) };
}

/** The same source in a form that means the same at a later visit, when the default may be somewhere else. */
export function lastingForm(form: SourceForm, { source }: DefaultModel): SourceForm {
  const isElsewhere = form.kind === "default" && "repository" in source;
  return isElsewhere ? { ...emptyForm, kind: "web", address: source.repository } : form;
}

/** The form that describes a kept model. */
export function formOfKept(kept: KeptSource, preset: DefaultModel): SourceForm {
  const { source } = preset;
  if ("url" in kept) {
    const isPreset = "url" in source && source.url === kept.url;
    return isPreset ? emptyForm : { ...emptyForm, kind: "web", address: kept.url };
  }
  const { repository, file, revision = "", hubUrl = "" } = kept;
  const isPreset = "repository" in source && source.repository === repository && !file && !revision && !hubUrl;
  const address = file === undefined ? repository : `${repository}/${file}`;
  return isPreset ? emptyForm : { ...emptyForm, kind: "web", address, revision, hubUrl };
}

export function keptForm({ kind, address, revision, hubUrl, folder, accessToken }: SourceForm): KeptForm {
  const hadToken = kind === "web" && accessToken.trim() !== "";
  return { kind, address, revision, hubUrl, folderName: folder?.name ?? "", hadToken };
}

export function formOf({ kind, address, revision, hubUrl }: KeptForm, missing: Missing): SourceForm {
  return { kind, address, revision, hubUrl, accessToken: "", ...missing };
}
