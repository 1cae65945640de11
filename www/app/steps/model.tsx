/**
 * Enters: the model's state. Leaves: the first step, where a model and a device are chosen and loaded.
 */
import { useState } from "preact/hooks";
import type { DeviceChoice, ModelSource } from "webtune";
import type { ModelActions } from "../actions/model";
import type { Folder } from "../files";
import { bytes, counted } from "../format";
import { Alert } from "../parts/alert";
import { useConfirm } from "../parts/confirm";
import { ModelCard } from "../parts/model-card";
import { ModelSourceFields, type SourceForm } from "../parts/model-source";
import { ProgressLine } from "../parts/progress-line";
import { StepCard } from "../parts/step-card";
import { type State, type Store, wouldLose } from "../state";

/** The folder beside the page, and the repository that it is a copy of. */
const DEFAULT_MODEL = { folder: "models/all-MiniLM-L6-v2/", name: "sentence-transformers/all-MiniLM-L6-v2" };

const devices: { value: DeviceChoice; label: string; help: string }[] = [
  {
    value: "auto",
    label: "Automatic",
    help: "The graphics card through WebGPU where there is one, else the processor.",
  },
  { value: "webgpu", label: "WebGPU", help: "Always the graphics card; slow where WebGPU is only emulated." },
  { value: "cpu", label: "CPU", help: "Always the processor. Works everywhere." },
];

function sourceOf(form: SourceForm): ModelSource | string {
  if (form.kind === "default") {
    return { url: new URL(DEFAULT_MODEL.folder, document.baseURI).href, name: DEFAULT_MODEL.name };
  }
  if (form.kind === "files") {
    if (!form.folder) return "Choose the model's folder or its files first.";
    return { files: form.folder.files, ...(form.folder.name ? { name: form.folder.name } : {}) };
  }
  const address = form.address.trim();
  if (address === "")
    return "Type a Hugging Face repository id, such as sentence-transformers/all-MiniLM-L6-v2, or a web address.";
  if (/^https?:\/\//i.test(address)) return { url: address.endsWith("/") ? address : `${address}/` };
  return {
    repository: address,
    ...(form.revision.trim() ? { revision: form.revision.trim() } : {}),
    ...(form.hubUrl.trim() ? { hubUrl: form.hubUrl.trim() } : {}),
    ...(form.accessToken.trim() ? { accessToken: form.accessToken.trim() } : {}),
  };
}

export function ModelStep({ state, store, actions }: { state: State; store: Store; actions: ModelActions }) {
  const { model, run } = state;
  const [form, setForm] = useState<SourceForm>({
    kind: "default",
    address: "",
    revision: "",
    hubUrl: "",
    accessToken: "",
  });
  const { ask, dialog } = useConfirm();
  const training = run.status !== "idle";
  const loading = model.status === "loading";
  const help = devices.find(({ value }) => value === model.device)?.help;

  const load = () => {
    const source = sourceOf(form);
    if (typeof source === "string") {
      store.patch("model", { error: source });
      return;
    }
    const act = () => void actions.load(source);
    if (!wouldLose(state)) return act();
    ask({
      title: "Load another model?",
      text: "The tuned adapter has not been exported. Loading a model drops it.",
      yes: "Drop it and load",
      act,
    });
  };
  const chosen = (folder: Folder) => {
    setForm({ ...form, kind: "files", folder });
    store.patch("model", { error: undefined });
  };

  return (
    <StepCard id="model" number={1} title="Model" lead="The pretrained model that your examples will specialise.">
      {dialog}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          load();
        }}
      >
        <ModelSourceFields
          form={form}
          disabled={training || loading}
          onChange={setForm}
          onFolder={chosen}
          onError={(error) => store.patch("model", { error })}
        />
        {form.kind === "files" && form.folder ? (
          <p class="muted figures" data-testid="chosen-files">
            {form.folder.name ? `${form.folder.name}: ` : ""}
            {counted(form.folder.files.length, "file")},{" "}
            {bytes(form.folder.files.reduce((sum, file) => sum + file.blob.size, 0))}
          </p>
        ) : null}
        <fieldset class="segments" disabled={training || loading}>
          <legend>Device</legend>
          {devices.map(({ value, label }) => (
            <label key={value}>
              <input
                type="radio"
                name="device"
                value={value}
                checked={model.device === value}
                data-testid={`device-${value}`}
                onChange={() => store.patch("model", { device: value })}
              />
              <span>{label}</span>
            </label>
          ))}
        </fieldset>
        <p class="help">{help}</p>
        <div class="row">
          <button
            type="submit"
            class={model.info ? "" : "primary"}
            data-testid="load-model"
            disabled={training || loading}
          >
            {model.info ? "Load again" : "Load model"}
          </button>
          {loading ? (
            <button type="button" data-testid="cancel-load" onClick={() => actions.cancel()}>
              Cancel
            </button>
          ) : null}
        </div>
      </form>
      {loading && model.progress ? (
        <ProgressLine
          testId="model-progress"
          label="Loading the model"
          text={model.progress.text}
          share={model.progress.share}
        />
      ) : null}
      <Alert message={model.error} testId="model-error" />
      {model.info && model.report ? <ModelCard info={model.info} report={model.report} /> : null}
    </StepCard>
  );
}
