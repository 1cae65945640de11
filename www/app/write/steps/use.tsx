/** The fifth step: the tuned model writes next to the untuned one, and is exported. */
import { isBusy } from "../../desk/state";
import { type ExportFormat, UseStep } from "../../desk/steps/use";
import type { WriteDesk } from "../desk";
import { TryLabels } from "../parts/try-labels";
import { TryWriting } from "../parts/try-writing";
import { isChat } from "../rows";
import type { WriteState } from "../state";

export function WriteUseStep({ state, desk }: { state: WriteState; desk: WriteDesk }) {
  const { model, rows, run, result, trying } = state;
  const { drafts } = desk.store;
  const busy = isBusy(run);
  const [first] = rows.items;
  const formats = formatsOf(state, desk);
  return (
    <UseStep
      lead="Let both models write, then export the result."
      waiting="Load a model first; it can then write, even before tuning."
      state={state}
      actions={desk.files}
      busy={trying.busy}
      formats={formats}
      missing={isRounded(state) ? "The whole model can be exported only from 32-bit or 16-bit weights." : undefined}
      invitation="Drop a PEFT adapter's zip or folder here, or"
    >
      {model.info && !busy ? (
        <>
          <TryWriting
            drafts={drafts}
            state={state}
            actions={desk.generate}
            asChat={first ? isChat(first) : model.info.ownTemplate}
          />
          <TryLabels drafts={drafts} actions={desk.generate} busy={trying.busy || result.busy} />
        </>
      ) : (
        <p class="muted" data-testid="try-waiting">
          {busy
            ? "You can let it write when this run has ended."
            : "The model is not loaded any more, so nothing can be written. What was tuned can still be exported."}
        </p>
      )}
    </UseStep>
  );
}

/** Weights in 8 or 4 bits are not what the file should hold. */
const isRounded = ({ model }: WriteState): boolean => model.info?.storage === "int8" || model.info?.storage === "int4";

function formatsOf(state: WriteState, { files }: WriteDesk): ExportFormat[] {
  const { result } = state;
  // An imported adapter may be of any kind; the engine refuses what is not possible.
  const method = result.finished?.options.method.type;
  const target = "showDirectoryPicker" in window ? "written file by file into a folder that you choose" : "as one zip";
  const formats: ExportFormat[] = [];
  if (method !== "full") {
    formats.push({
      testId: "export-peft",
      label: "Export for PEFT",
      help: "PEFT: only the adapter, with a script that continues the run elsewhere. It can be imported here again.",
      isReady: result.files !== undefined,
      run: () => files.adapter(),
    });
  }
  if (method === undefined || method === "lora") {
    formats.push({
      testId: "export-gguf",
      label: "Export for llama.cpp",
      help: "llama.cpp: one GGUF file for its --lora option.",
      isReady: false,
      run: () => files.gguf(),
    });
  }
  if (method !== "prefix" && !isRounded(state)) {
    formats.push({
      testId: "export-merged",
      label: "Export the whole model",
      help: `The whole model: a Transformers folder with the adapter merged into the weights, ${target}.`,
      isReady: false,
      run: () => files.merged(),
    });
  }
  return formats;
}
