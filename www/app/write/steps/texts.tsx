/**
 * Enters: the rows and how they were read. Leaves: the second step, where texts come in and are seen as the model sees them.
 */
import type { LanguageTuner } from "webtune";
import { RowsFooter } from "../../desk/parts/rows-footer";
import { RowsIntake } from "../../desk/parts/rows-intake";
import { isBusy } from "../../sort/state";
import { Alert } from "../../ui/alert";
import { download } from "../../ui/files";
import { messageOf } from "../../ui/format";
import { StepCard } from "../../ui/step-card";
import type { TextActions } from "../actions/texts";
import { TextList } from "../parts/text-list";
import { jsonOf } from "../rows";
import type { LanguageState, LanguageStore } from "../state";

const PLACEHOLDER = [
  '{"prompt": "When do you open?", "completion": " At half past six."}',
  '{"prompt": "Do you have rye?", "completion": " From seven."}',
].join("\n");

interface Props {
  state: LanguageState;
  store: LanguageStore;
  actions: TextActions;
  tuner: LanguageTuner | undefined;
}

export function TextsStep({ state, store, actions, tuner }: Props) {
  const { texts, model, run } = state;
  const { items } = texts;
  const builtIn = async () => {
    const { default: text } = await import("../../examples/bakery-chats.jsonl?raw");
    await actions.read("bakery-chats.jsonl", text, false);
  };
  const save = () => {
    const lines = items.map(({ row }) => JSON.stringify(jsonOf(row.content)));
    download("texts.jsonl", `${lines.join("\n")}\n`, "application/jsonl");
    actions.saved();
  };

  return (
    <StepCard
      id="texts"
      number={2}
      title="Texts"
      lead="Conversations, questions with answers, or plain text. The model learns to write the answers. They stay in this tab."
    >
      <RowsIntake
        kept={store.kept}
        name="texts"
        label="Bring in texts"
        invitation="Drop JSON lines, a JSON array or a plain text file here, or"
        accept=".jsonl,.json,.ndjson,.txt,.md,text/*"
        builtInLabel="Use the built-in conversations"
        placeholder={PLACEHOLDER}
        count={items.length}
        noun="text"
        reading={texts.reading}
        onRead={(name, content, add) => void actions.read(name, content, add)}
        onBuiltIn={() => void builtIn().catch((error: unknown) => store.patch("texts", { error: messageOf(error) }))}
        onError={(error) => store.patch("texts", { error })}
      />
      <Alert message={texts.error} testId="texts-error" />
      <p class="status" data-testid="texts-note">
        {texts.reading ? "Reading…" : (texts.note ?? "")}
      </p>
      <details class="drawer">
        <summary>How rows may be written</summary>
        <ul class="forms">
          <li>
            Conversations:{" "}
            <code>{'{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}'}</code>, or
            ShareGPT's <code>conversations</code>
          </li>
          <li>
            Instructions: <code>{'{"instruction": "…", "input": "…", "output": "…"}'}</code>
          </li>
          <li>
            Prompts: <code>{'{"prompt": "…", "completion": "…"}'}</code>
          </li>
          <li>
            Plain text, which is learnt as a whole: <code>{'{"text": "…"}'}</code>, or a text file
          </li>
        </ul>
      </details>
      {items.length > 0 ? (
        <TextList
          items={items}
          tuner={model.info ? tuner : undefined}
          options={run.options}
          busy={isBusy(run)}
          onRemove={(id) => actions.remove(id)}
        />
      ) : null}
      <RowsFooter
        name="texts"
        isEmpty={items.length === 0}
        canUndo={texts.undo !== undefined}
        canSave={items.length > 0}
        remember={texts.remember}
        onClear={() => actions.clear()}
        onUndo={() => actions.undo()}
        onSave={save}
        onRemember={(on) => void actions.setRemember(on)}
      />
    </StepCard>
  );
}
