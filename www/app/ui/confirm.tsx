/** A modal dialog that asks before something is lost. Escape means no. */
import type { ComponentChild } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import "./confirm.css";

interface Question {
  title: string;
  text: string;
  yes: string;
  act: () => void;
}

interface Confirm {
  /** Asks if it is needed, and acts at once if not. */
  askIf: (needed: boolean, question: Question) => void;
  ask: (question: Question) => void;
  dialog: ComponentChild;
}

export function useConfirm(): Confirm {
  const [question, ask] = useState<Question>();
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (question) element.current?.showModal();
  }, [question]);
  const close = () => element.current?.close();
  const dialog = question ? (
    <dialog ref={element} aria-labelledby="confirm-title" data-testid="confirm" onClose={() => ask(undefined)}>
      <h2 id="confirm-title">{question.title}</h2>
      <p class="dialog-text">{question.text}</p>
      <div class="row end">
        <button type="button" data-testid="confirm-no" onClick={close}>
          Keep it
        </button>
        <button
          type="button"
          class="danger"
          data-testid="confirm-yes"
          onClick={() => {
            close();
            question.act();
          }}
        >
          {question.yes}
        </button>
      </div>
    </dialog>
  ) : null;
  const askIf = (needed: boolean, wanted: Question) => (needed ? ask(wanted) : wanted.act());
  return { askIf, ask, dialog };
}
