/** The first step: the language model, and the memory that a run with it would need. */
import { useEffect, useState } from "preact/hooks";
import { ModelFacts } from "../../desk/parts/model-facts";
import { StorageChoice } from "../../desk/parts/storage-choice";
import type { SourceForm } from "../../desk/source-form";
import { isBusy } from "../../desk/state";
import { ModelStep, useSource } from "../../desk/steps/model";
import { bytes } from "../../ui/format";
import type { WriteDesk } from "../desk";
import { BudgetCard } from "../parts/budget-card";
import { coming, findPreset, undecided } from "../preset";
import type { WriteState } from "../state";

/** A pause in typing settings, in milliseconds. */
const PAUSE = 250;
/** A server that has a file says so sooner, in milliseconds. */
const LATE = 1500;

export function WriteModelStep({ state, desk }: { state: WriteState; desk: WriteDesk }) {
  const { store, model: actions } = desk;
  const { model, run, result, trying } = state;
  const { info, report } = model;
  const [preset, setPreset] = useState(undecided);
  const { form, setForm, source } = useSource(store.drafts, preset);

  useEffect(() => {
    const timer = setTimeout(() => setPreset(coming), LATE);
    void findPreset().then((found) => {
      clearTimeout(timer);
      setPreset(found);
    });
    return () => clearTimeout(timer);
  }, []);

  // What a run needs depends on all of these.
  useEffect(() => {
    const timer = setTimeout(() => void actions.estimate(), PAUSE);
    return () => clearTimeout(timer);
  }, [actions, model.storage, model.device, run.options]);

  // Files are at hand; everything else is downloaded only at the press of a button.
  useEffect(() => {
    if (form.kind === "files" && typeof source !== "string") void actions.plan(source);
  }, [actions, form.kind, source]);

  const choose = (next: SourceForm) => {
    setForm(next);
    actions.forgetPlan();
  };
  const template = info?.ownTemplate ? "its own chat template" : "ChatML, as it has no chat template";
  return (
    <ModelStep
      lead="The pretrained language model that learns from your texts."
      preset={preset}
      files="One GGUF file, or a folder with config.json, tokenizer.json and safetensors: Llama, Qwen 2 and 3, Gemma 3 or GPT-2."
      web="A repository id, the address of a folder or of a GGUF file, or owner/name/file.gguf."
      form={form}
      onForm={choose}
      source={source}
      state={state}
      store={store}
      actions={actions}
      // Loading would interrupt an export or a text that is being written.
      busy={isBusy(run) || result.busy || trying.busy}
      facts={
        info && report ? (
          <ModelFacts
            info={info}
            report={report}
            weights={`, ${bytes(info.weightBytes)}`}
            more={[["Conversations", template]]}
          />
        ) : null
      }
    >
      <StorageChoice state={state} store={store} />
      <BudgetCard
        budget={state.budget}
        storage={model.storage}
        canAsk={typeof source !== "string"}
        onAsk={() => {
          if (typeof source !== "string") void actions.plan(source);
        }}
      />
    </ModelStep>
  );
}
