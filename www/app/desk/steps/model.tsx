/** The first step of a desk: a model and a device are chosen, and the model is loaded. */
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import type { DeviceChoice, ModelSource } from "webtune";
import { Alert } from "../../ui/alert";
import { useConfirm } from "../../ui/confirm";
import { ProgressLine } from "../../ui/progress-line";
import { type Segment, Segments } from "../../ui/segments";
import { StepCard } from "../../ui/step-card";
import type { ModelActions } from "../actions/model";
import { KeptModels } from "../parts/kept-models";
import { ModelSourceFields, type Way } from "../parts/model-source";
import { WithoutWebgpu } from "../parts/without-webgpu";
import { type DefaultModel, emptyForm, formOfKept, lastingForm, type SourceForm, sourceOf } from "../source-form";
import { type DeskState, wouldLoseResult } from "../state";
import { type Drafts, type Store, useDraft } from "../store";
import type { TaskTypes } from "../task";

const devices: Segment<DeviceChoice>[] = [
  { value: "auto", label: "Automatic", help: "The graphics card through WebGPU if there is one, else the processor." },
  { value: "webgpu", label: "WebGPU", help: "Always the graphics card; slow if WebGPU is only emulated." },
  { value: "cpu", label: "CPU", help: "Always the processor. Works everywhere." },
];

/** The form as it was filled in, and the source that it describes or what is missing. */
export function useSource(drafts: Drafts, preset: DefaultModel) {
  const [form, setForm] = useDraft(drafts, "form", emptyForm);
  // The same object while the form is the same, so that a config.json is read once.
  const source = useMemo(() => sourceOf(form, preset), [form, preset]);
  return { form, setForm, source };
}

interface Props<T extends TaskTypes> {
  lead: string;
  preset: DefaultModel;
  /** What can be loaded from files, and from the web. */
  files: string;
  web: string;
  form: SourceForm;
  onForm: (form: SourceForm) => void;
  source: ModelSource | string;
  state: DeskState<T>;
  store: Store<DeskState<T>>;
  actions: ModelActions<T>;
  /** The engine is doing something that loading would interrupt. */
  busy: boolean;
  /** Further fields, above the button. */
  children: ComponentChildren;
  /** What was loaded. */
  facts: ComponentChildren;
}

export function ModelStep<T extends TaskTypes>(props: Props<T>) {
  const { lead, preset, files, web, form, onForm, source, state, store, actions, busy, children, facts } = props;
  const { model } = state;
  const { askIf, dialog } = useConfirm();
  const loading = model.status === "loading";
  const loaded = model.info !== undefined;
  const ways: Way[] = [
    { kind: "default", title: preset.name.split("/").pop() ?? preset.name, text: preset.text },
    {
      kind: "files",
      title: "Files on this computer",
      text: files,
    },
    { kind: "web", title: "Hugging Face or web address", text: web },
  ];
  const showError = (error: string | undefined) => store.patch("model", { error });
  const load = (source: ModelSource | string, form: SourceForm) => {
    if (typeof source === "string") {
      showError(source);
      return;
    }
    askIf(wouldLoseResult(state), {
      title: "Load another model?",
      text: "The tuned adapter has not been exported. Loading a model discards it.",
      yes: "Discard it and load",
      act: () => void actions.load(source, lastingForm(form, preset)),
    });
  };

  return (
    <StepCard id="model" number={1} title="Model" lead={lead}>
      {dialog}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          load(source, form);
        }}
      >
        <ModelSourceFields
          ways={ways}
          example={preset.name}
          form={form}
          disabled={busy || loading}
          onChange={onForm}
          onFolder={(folder) => {
            onForm({ ...form, kind: "files", folder });
            showError(undefined);
          }}
          onError={showError}
        />
        {form.kind === "files" ? null : (
          <p class="help">A model from the web is kept on this computer, and loads without a network next time.</p>
        )}
        <Segments
          legend="Device"
          name="device"
          choices={devices}
          value={model.device}
          disabled={busy || loading}
          onChange={(device) => store.patch("model", { device })}
        />
        <WithoutWebgpu />
        {children}
        <div class="row">
          <button type="submit" class={loaded ? "" : "primary"} data-testid="load-model" disabled={busy || loading}>
            {loaded ? "Load again" : "Load model"}
          </button>
          {loading ? (
            <button type="button" data-testid="cancel-load" onClick={() => actions.cancel()}>
              Cancel
            </button>
          ) : null}
        </div>
      </form>
      {loading && model.progress ? (
        <ProgressLine testId="model-progress" label="Loading the model" {...model.progress} />
      ) : null}
      <Alert message={model.error} testId="model-error" />
      <div role="status" class={model.notices?.length ? "stack" : "alert-empty"} data-testid="model-notices">
        {model.notices?.map((notice) => (
          <p key={notice} class="note note-warn">
            {notice}
          </p>
        ))}
      </div>
      {facts}
      <KeptModels
        disabled={busy || loading}
        onLoad={(kept) => {
          const form = formOfKept(kept.source, preset);
          onForm(form);
          load(sourceOf(form, preset), form);
        }}
        onRemoved={(words) => store.announce(words)}
      />
    </StepCard>
  );
}
