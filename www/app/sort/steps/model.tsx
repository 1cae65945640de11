/** The first step: the model that learns to sort. */

import { ModelFacts } from "../../desk/parts/model-facts";
import { StorageChoice } from "../../desk/parts/storage-choice";
import { isBusy } from "../../desk/state";
import { ModelStep, useSource } from "../../desk/steps/model";
import { storageNames } from "../../desk/weight-storages";
import type { SortDesk } from "../desk";
import { isClassifying } from "../file-state";
import type { SortState } from "../state";
import { sortPreset } from "../task";

export function SortModelStep({ state, desk }: { state: SortState; desk: SortDesk }) {
  const { store } = desk;
  const { info, report, storage } = state.model;
  const { form, setForm, source } = useSource(store.drafts, sortPreset);
  return (
    <ModelStep
      lead="The pretrained model that learns from your examples."
      preset={sortPreset}
      files="A folder with config.json, tokenizer.json and safetensors: BERT-family models, or a language model."
      web="A repository id, or the address of a folder."
      form={form}
      onForm={setForm}
      source={source}
      state={state}
      store={store}
      actions={desk.model}
      busy={isBusy(state.run) || isClassifying(state.file)}
      facts={info && report ? <ModelFacts info={info} report={report} help={info.defaultHeadReason} /> : null}
    >
      <details class="drawer">
        <summary>
          Frozen weights <span class="muted">{storageNames[storage]}</span>
        </summary>
        <StorageChoice state={state} store={store} />
      </details>
    </ModelStep>
  );
}
