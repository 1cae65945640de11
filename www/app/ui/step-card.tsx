/** A step of a desk: one section of the page. */
import type { ComponentChildren } from "preact";
import "./step-card.css";

export type StepId = "model" | "examples" | "texts" | "train" | "results" | "use" | "compare";

interface Props {
  id: StepId;
  number: number;
  title: string;
  lead: ComponentChildren;
  children?: ComponentChildren;
  /** Why the step cannot be used yet; its content is left out then. */
  waiting?: string | undefined;
}

export function StepCard({ id, number, title, lead, children, waiting }: Props) {
  return (
    <section id={id} class={waiting ? "step step-waiting" : "step"} aria-labelledby={`${id}-title`} tabIndex={-1}>
      <header class="step-head">
        <span class="step-number" aria-hidden="true">
          {number}
        </span>
        <div>
          <h2 id={`${id}-title`}>{title}</h2>
          <p class="muted">{waiting ?? lead}</p>
        </div>
      </header>
      {waiting ? null : children}
    </section>
  );
}
