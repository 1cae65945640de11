/** The list of steps as links, with how far each is. */
import type { StepId } from "./step-card";
import "./step-nav.css";

export interface NavItem {
  id: StepId;
  title: string;
  state: "done" | "current" | "later";
  note: string;
}

const words = { done: "done", current: "next", later: "later" };

export function StepNav({ items }: { items: NavItem[] }) {
  return (
    <nav class="steps" aria-label="Steps">
      <ol>
        {items.map((item, index) => (
          <li key={item.id}>
            <a
              href={`#${item.id}`}
              class={`nav-${item.state}`}
              {...(item.state === "current" ? { "aria-current": "step" } : {})}
            >
              <span class="nav-mark" aria-hidden="true">
                {item.state === "done" ? "✓" : index + 1}
              </span>
              <span class="nav-words">
                <span class="nav-title">{item.title}</span>
                <span class="nav-note">{item.note}</span>
                <span class="sr-only">, {words[item.state]}</span>
              </span>
            </a>
          </li>
        ))}
      </ol>
    </nav>
  );
}
