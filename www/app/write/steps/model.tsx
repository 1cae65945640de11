/**
 * Enters: the model's state. Leaves: the first step, where a language model is chosen, its memory told, and loaded.
 */
import { useEffect, useMemo } from "preact/hooks";
import type { ModelSource } from "webtune";
import { ModelForm } from "../../desk/parts/model-form";
import type { Way } from "../../desk/parts/model-source";
import { StorageChoice } from "../../desk/parts/storage-choice";
import { emptyForm, type SourceForm, sourceOf } from "../../desk/source-form";
import { useKept } from "../../desk/store";
import { isBusy } from "../../sort/state";
import { useConfirm } from "../../ui/confirm";
import { StepCard } from "../../ui/step-card";
import type { LanguageModelActions } from "../actions/model";
import { BudgetCard } from "../parts/budget-card";
import { LanguageModelCard } from "../parts/model-card";
import { type LanguageState, type LanguageStore, wouldLoseTuned } from "../state";

const DEFAULT_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct";
const preset: ModelSource = { repository: DEFAULT_MODEL };
/** Typing settings, in milliseconds. */
const PAUSE = 250;

const ways: Way[] = [
  {
    kind: "default",
    title: "SmolLM2-135M-Instruct",
    text: "Answers in English. About 270 MB from Hugging Face, Apache-2.0.",
  },
  {
    kind: "files",
    title: "Files on this computer",
    text: "A folder with config.json, tokenizer.json and safetensors: Llama, Qwen 2 and 3, Gemma 3 or GPT-2.",
  },
  { kind: "web", title: "Hugging Face or web address", text: "A repository id, or the address of a folder." },
];

interface Props {
  state: LanguageState;
  store: LanguageStore;
  actions: LanguageModelActions;
}

export function LanguageModelStep({ state, store, actions }: Props) {
  const { model, run, result, trying } = state;
  // A model that writes or leaves is not taken away.
  const busy = isBusy(run) || result.busy || trying.busy;
  const [form, setForm] = useKept(store.kept, "form", emptyForm);
  const { askIf, dialog } = useConfirm();
  // The same object while the form says the same, so that a config.json is read once.
  const source = useMemo(() => sourceOf(form, preset, DEFAULT_MODEL), [form]);
  const ready = typeof source !== "string";

  // What a run takes depends on all of these.
  useEffect(() => {
    const timer = setTimeout(() => void actions.estimate(), PAUSE);
    return () => clearTimeout(timer);
  }, [actions, model.storage, model.device, run.options]);

  const choose = (next: SourceForm) => {
    setForm(next);
    actions.forgetPlan();
  };
  // Files are at hand; anything else is asked for only by a press.
  useEffect(() => {
    if (form.kind === "files" && typeof source !== "string") void actions.plan(source);
  }, [actions, form.kind, source]);
  const load = (chosen: ModelSource) => {
    const act = () => void actions.load(chosen);
    askIf(wouldLoseTuned(state), {
      title: "Load another model?",
      text: "The tuned adapter has not been exported. Loading a model drops it.",
      yes: "Drop it and load",
      act,
    });
  };

  return (
    <StepCard id="model" number={1} title="Model" lead="The pretrained language model that your texts will specialise.">
      {dialog}
      <ModelForm
        ways={ways}
        source={source}
        example={DEFAULT_MODEL}
        form={form}
        model={model}
        loaded={model.info !== undefined}
        busy={busy}
        onForm={choose}
        onDevice={(device) => store.patch("model", { device })}
        onError={(error) => store.patch("model", { error })}
        onLoad={load}
        onCancel={() => actions.cancel()}
      >
        <StorageChoice
          storage={model.storage}
          disabled={busy || model.status === "loading"}
          onChange={(storage) => store.patch("model", { storage })}
        />
        <BudgetCard
          model={model}
          canAsk={ready}
          onAsk={() => {
            if (typeof source === "string") store.patch("model", { error: source });
            else void actions.plan(source);
          }}
        />
      </ModelForm>
      {model.info && model.report ? <LanguageModelCard info={model.info} report={model.report} /> : null}
    </StepCard>
  );
}
