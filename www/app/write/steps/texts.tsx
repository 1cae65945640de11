/** The second step: texts come in and are shown as the model reads them. */

import { isBusy } from "../../desk/state";
import { RowsStep, type RowsWords } from "../../desk/steps/rows";
import type { WriteDesk } from "../desk";
import { TextList } from "../parts/text-list";
import type { WriteState } from "../state";

const words: RowsWords = {
  name: "texts",
  title: "Texts",
  lead: "Conversations, questions with answers, or plain text. The model learns to write the answers. They stay in this tab.",
  noun: "text",
  invitation: "Drop JSON or a plain text file here (or one of them as .gz), or",
  accept: ".jsonl,.json,.ndjson,.txt,.md,.gz,text/*",
  placeholder: [
    '{"prompt": "When do you open?", "completion": " At half past six."}',
    '{"prompt": "Do you have rye?", "completion": " From seven."}',
  ].join("\n"),
  builtIn: {
    label: "Use the built-in conversations",
    file: "bakery-chats.jsonl",
    load: () => import("../../examples/bakery-chats.jsonl?raw"),
  },
};

export function TextsStep({ state, desk }: { state: WriteState; desk: WriteDesk }) {
  const { rows, model, run } = state;
  return (
    <RowsStep words={words} rows={rows} actions={desk.rows} drafts={desk.store.drafts} format={<Formats />}>
      {rows.items.length > 0 ? (
        <TextList
          items={rows.items}
          tuner={model.info ? desk.model.tuner : undefined}
          options={run.options}
          busy={isBusy(run)}
          onRemove={(id) => desk.rows.remove(id)}
        />
      ) : null}
    </RowsStep>
  );
}

const Formats = () => (
  <details class="drawer">
    <summary>Formats of rows</summary>
    <ul class="forms">
      <li>
        Conversations:{" "}
        <code>{'{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}'}</code>, or
        ShareGPT's <code>conversations</code>; beside them <code>system</code>, <code>tools</code>, and in a turn{" "}
        <code>reasoning_content</code>
      </li>
      <li>
        Instructions: <code>{'{"instruction": "…", "input": "…", "output": "…"}'}</code>, perhaps with{" "}
        <code>system</code> and <code>history</code>
      </li>
      <li>
        Prompts: <code>{'{"prompt": "…", "completion": "…"}'}</code>
      </li>
      <li>
        Plain text, which is learned as a whole: <code>{'{"text": "…"}'}</code>, or a text file
      </li>
    </ul>
  </details>
);
