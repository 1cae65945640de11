/**
 * Enters: the model's state. Leaves: the first step, where a model and a device are chosen and loaded.
 */
import { useMemo } from "preact/hooks";
import type { ModelSource } from "webtune";
import { ModelForm } from "../../desk/parts/model-form";
import type { Way } from "../../desk/parts/model-source";
import { StorageChoice } from "../../desk/parts/storage-choice";
import { emptyForm, sourceOf } from "../../desk/source-form";
import { useKept } from "../../desk/store";
import { storageNames } from "../../desk/weight-storages";
import { useConfirm } from "../../ui/confirm";
import { StepCard } from "../../ui/step-card";
import type { ModelActions } from "../actions/model";
import { ModelCard } from "../parts/model-card";
import { isBusy, type State, type Store, wouldLose } from "../state";

/** The folder beside the page, and the repository that it is a copy of. */
const DEFAULT_MODEL = { folder: "models/all-MiniLM-L6-v2/", name: "sentence-transformers/all-MiniLM-L6-v2" };

const preset = (): ModelSource => ({
  url: new URL(DEFAULT_MODEL.folder, document.baseURI).href,
  name: DEFAULT_MODEL.name,
});

const ways: Way[] = [
  { kind: "default", title: "all-MiniLM-L6-v2", text: "Small and quick, for English. About 90 MB, Apache-2.0." },
  {
    kind: "files",
    title: "Files on this computer",
    text: "A folder with config.json, tokenizer.json and safetensors: BERT and its kin, or a language model.",
  },
  { kind: "web", title: "Hugging Face or web address", text: "A repository id, or the address of a folder." },
];

export function ModelStep({ state, store, actions }: { state: State; store: Store; actions: ModelActions }) {
  const { model, run } = state;
  const [form, setForm] = useKept(store.kept, "form", emptyForm);
  const source = useMemo(() => sourceOf(form, preset(), DEFAULT_MODEL.name), [form]);
  const { askIf, dialog } = useConfirm();

  const load = (source: ModelSource) => {
    const act = () => void actions.load(source);
    askIf(wouldLose(state), {
      title: "Load another model?",
      text: "The tuned adapter has not been exported. Loading a model drops it.",
      yes: "Drop it and load",
      act,
    });
  };

  return (
    <StepCard id="model" number={1} title="Model" lead="The pretrained model that your examples will specialise.">
      {dialog}
      <ModelForm
        ways={ways}
        source={source}
        example={DEFAULT_MODEL.name}
        form={form}
        model={model}
        loaded={model.info !== undefined}
        busy={isBusy(run)}
        onForm={setForm}
        onDevice={(device) => store.patch("model", { device })}
        onError={(error) => store.patch("model", { error })}
        onLoad={load}
        onCancel={() => actions.cancel()}
      >
        <details class="drawer">
          <summary>
            Frozen weights <span class="muted">{storageNames[model.storage]}</span>
          </summary>
          <StorageChoice
            storage={model.storage}
            disabled={isBusy(run) || model.status === "loading"}
            onChange={(storage) => store.patch("model", { storage })}
          />
        </details>
      </ModelForm>
      {model.info && model.report ? <ModelCard info={model.info} report={model.report} /> : null}
    </StepCard>
  );
}
