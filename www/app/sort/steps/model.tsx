/** The first step: the model that learns to sort. */

import { ModelFacts } from "../../desk/parts/model-facts";
import { StorageChoice } from "../../desk/parts/storage-choice";
import { isBusy } from "../../desk/state";
import { type DefaultModel, ModelStep, useSource } from "../../desk/steps/model";
import { storageNames } from "../../desk/weight-storages";
import type { SortDesk } from "../desk";
import type { SortState } from "../state";

const preset: DefaultModel = {
  name: "sentence-transformers/all-MiniLM-L6-v2",
  // A copy of the repository, next to the page.
  source: {
    url: new URL("models/all-MiniLM-L6-v2/", document.baseURI).href,
    name: "sentence-transformers/all-MiniLM-L6-v2",
  },
  text: "Small and fast, for English. About 90 MB, Apache-2.0.",
};

export function SortModelStep({ state, desk }: { state: SortState; desk: SortDesk }) {
  const { store } = desk;
  const { info, report, storage } = state.model;
  const { form, setForm, source } = useSource(store.drafts, preset);
  return (
    <ModelStep
      lead="The pretrained model that learns from your examples."
      preset={preset}
      families="BERT-family models, or a language model"
      form={form}
      onForm={setForm}
      source={source}
      state={state}
      store={store}
      actions={desk.model}
      busy={isBusy(state.run)}
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
