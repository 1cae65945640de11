/** What the untuned and the tuned model write to a prompt, next to each other, as it comes. */
import { useState } from "preact/hooks";
import type { Prompt } from "webtune";
import { OptionDrawer } from "../../desk/parts/option-drawer";
import type { FieldValues } from "../../desk/read-options";
import { type Drafts, useDraft } from "../../desk/store";
import { Alert } from "../../ui/alert";
import { type Segment, Segments } from "../../ui/segments";
import type { GenerateActions } from "../actions/generate";
import { byDefault, generationGroups } from "../options";
import type { WriteState, Writing } from "../state";
import "./try-writing.css";

type Form = "chat" | "text";

const forms: Segment<Form>[] = [
  { value: "chat", label: "Message", help: "To answer; formatted with the model's chat template." },
  { value: "text", label: "Text", help: "Plain text to continue." },
];

interface Props {
  drafts: Drafts;
  state: WriteState;
  actions: GenerateActions;
  /** The texts are conversations. */
  asChat: boolean;
}

export function TryWriting({ drafts, state, actions, asChat }: Props) {
  const { trying, result } = state;
  const [chosen, setChosen] = useDraft<Form | undefined>(drafts, "prompt-form", undefined);
  const [text, setText] = useDraft(drafts, "prompt", "");
  const [system, setSystem] = useDraft(drafts, "system", "");
  const [values, setValues] = useDraft<FieldValues>(drafts, "writing", {});
  const [errors, setErrors] = useState<FieldValues>({});
  const form = chosen ?? (asChat ? "chat" : "text");
  const prompt: Prompt =
    form === "text"
      ? text
      : [
          ...(system.trim() ? [{ role: "system" as const, content: system.trim() }] : []),
          { role: "user" as const, content: text },
        ];
  const isOld = trying.version !== result.version;

  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void actions.write(prompt, values).then(setErrors);
      }}
    >
      <Segments
        legend="Prompt"
        name="prompt"
        choices={forms}
        value={form}
        disabled={trying.busy}
        onChange={setChosen}
      />
      <div class="field">
        <label for="try-prompt">{form === "chat" ? "Your message" : "How the text begins"}</label>
        <textarea
          id="try-prompt"
          data-testid="try-prompt"
          rows={3}
          placeholder={form === "chat" ? "Do you have rye bread today?" : "Once upon a time"}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </div>
      {form === "chat" ? (
        <details class="drawer">
          <summary>
            System message <span class="muted">{system.trim() ? "given" : "none"}</span>
          </summary>
          <textarea
            aria-label="System message"
            data-testid="try-system"
            rows={2}
            placeholder="You answer for a small bakery."
            value={system}
            onInput={(event) => setSystem(event.currentTarget.value)}
          />
        </details>
      ) : null}
      <OptionDrawer
        groups={generationGroups}
        words={byDefault}
        values={values}
        errors={errors}
        disabled={trying.busy}
        idPrefix="writing"
        onChange={(path, value) => {
          setValues({ ...values, [path]: value });
          setErrors({});
        }}
        onReset={() => setValues({})}
      />
      <div class="row">
        {/* One button, so that the keyboard focus stays on it. */}
        <button
          type={trying.busy ? "button" : "submit"}
          class={!trying.busy && result.origin && result.exported ? "primary" : ""}
          data-testid={trying.busy ? "stop-writing" : "write"}
          disabled={!trying.busy && (result.busy || text.trim() === "")}
          onClick={(event) => {
            if (!trying.busy) return;
            event.preventDefault();
            actions.stop();
          }}
        >
          {trying.busy ? "Stop" : "Write"}
        </button>
      </div>
      <Alert message={trying.error} testId="try-error" />
      {trying.base || trying.tuned ? (
        <div class={isOld ? "two-columns stale" : "two-columns"}>
          {trying.base ? <Answer title="Before tuning" testId="try-base" writing={trying.base} /> : null}
          {trying.tuned ? (
            <Answer
              title={isOld ? "After an earlier tuning" : "After tuning"}
              testId="try-tuned"
              writing={trying.tuned}
            />
          ) : null}
        </div>
      ) : null}
    </form>
  );
}

function Answer({ title, testId, writing }: { title: string; testId: string; writing: Writing }) {
  const { text, status, note } = writing;
  return (
    <section
      class="answer"
      aria-label={title}
      aria-busy={status === "writing"}
      data-testid={testId}
      data-status={status}
    >
      <h3>{title}</h3>
      <p class="answer-text" data-testid={`${testId}-text`}>
        {text || <span class="muted">{status === "waiting" ? "waiting for its turn" : "(nothing)"}</span>}
        {status === "writing" ? <span class="caret" aria-hidden="true" /> : null}
      </p>
      <p class="help figures">{note ?? ""}</p>
    </section>
  );
}
