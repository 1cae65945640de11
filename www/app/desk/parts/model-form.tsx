/**
 * Enters: where a model may come from and how its loading goes. Leaves: a source and a device to load with.
 */
import type { ComponentChildren } from "preact";
import type { DeviceChoice, ModelSource } from "webtune";
import { Alert } from "../../ui/alert";
import { ProgressLine } from "../../ui/progress-line";
import { type Segment, Segments } from "../../ui/segments";
import type { Progress } from "../loading";
import type { SourceForm } from "../source-form";
import { ModelSourceFields, type Way } from "./model-source";

const devices: Segment<DeviceChoice>[] = [
  {
    value: "auto",
    label: "Automatic",
    help: "The graphics card through WebGPU where there is one, else the processor.",
  },
  { value: "webgpu", label: "WebGPU", help: "Always the graphics card; slow where WebGPU is only emulated." },
  { value: "cpu", label: "CPU", help: "Always the processor. Works everywhere." },
];

interface Props {
  ways: readonly Way[];
  /** What the form says, or what is still missing of it. */
  source: ModelSource | string;
  /** A repository id. */
  example: string;
  form: SourceForm;
  model: {
    status: "empty" | "loading" | "ready";
    device: DeviceChoice;
    progress?: Progress | undefined;
    error?: string | undefined;
  };
  /** A model is there already. */
  loaded: boolean;
  /** A run goes on. */
  busy: boolean;
  onForm: (form: SourceForm) => void;
  onDevice: (device: DeviceChoice) => void;
  onError: (message: string | undefined) => void;
  onLoad: (source: ModelSource) => void;
  onCancel: () => void;
  /** Further fields, above the button. */
  children?: ComponentChildren;
}

export function ModelForm(props: Props) {
  const { ways, source, example, form, model, loaded, busy, children } = props;
  const loading = model.status === "loading";
  const load = () => {
    if (typeof source === "string") props.onError(source);
    else props.onLoad(source);
  };
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          load();
        }}
      >
        <ModelSourceFields
          ways={ways}
          example={example}
          form={form}
          disabled={busy || loading}
          onChange={props.onForm}
          onFolder={(folder) => {
            props.onForm({ ...form, kind: "files", folder });
            props.onError(undefined);
          }}
          onError={props.onError}
        />
        <Segments
          legend="Device"
          name="device"
          choices={devices}
          value={model.device}
          disabled={busy || loading}
          onChange={props.onDevice}
        />
        {children}
        <div class="row">
          <button type="submit" class={loaded ? "" : "primary"} data-testid="load-model" disabled={busy || loading}>
            {loaded ? "Load again" : "Load model"}
          </button>
          {loading ? (
            <button type="button" data-testid="cancel-load" onClick={props.onCancel}>
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
    </>
  );
}
