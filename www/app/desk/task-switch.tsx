/** The switch between the two desks, stored in the page's address. */
import { useEffect, useRef } from "preact/hooks";
import type { TaskName } from "./task";
import "../ui/segments.css";

const KEY = "task";

const tasks: { value: TaskName; label: string }[] = [
  { value: "classify", label: "Sort texts" },
  { value: "write", label: "Write texts" },
];

export function taskOfAddress(): TaskName {
  return new URL(location.href).searchParams.get(KEY) === "write" ? "write" : "classify";
}

export function taskToAddress(task: TaskName): void {
  const address = new URL(location.href);
  if (task === "classify") address.searchParams.delete(KEY);
  else address.searchParams.set(KEY, task);
  history.replaceState(history.state, "", address);
}

/** Set by a press, so that the new desk's switch takes the keyboard focus. */
let pressed = false;

export function TaskSwitch({ task, onChange }: { task: TaskName; onChange: (task: TaskName) => void }) {
  const chosen = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (pressed) chosen.current?.focus({ preventScroll: true });
    pressed = false;
  }, []);
  return (
    <fieldset class="segments tasks">
      <legend class="sr-only">What the model should learn</legend>
      {tasks.map(({ value, label }) => (
        <label key={value}>
          <input
            type="radio"
            name="task"
            value={value}
            ref={value === task ? chosen : null}
            checked={value === task}
            data-testid={`task-${value}`}
            onChange={() => {
              pressed = true;
              onChange(value);
            }}
          />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}
