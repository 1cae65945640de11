/**
 * Enters: nothing. Leaves: the page with its two desks, one of them in view, and the warning before leaving.
 */
import { useEffect, useState } from "preact/hooks";
import { type Task, TaskSwitch, taskOfAddress, taskToAddress } from "./desk/task-switch";
import { ClassifyDesk, ClassifyWork } from "./sort/desk";
import { LanguageDesk, LanguageWork } from "./write/desk";

export function App() {
  // Both stay as they are while the other one is in view: a switch loses nothing.
  const [classify] = useState(() => new ClassifyWork());
  const [language] = useState(() => new LanguageWork());
  const [task, setTask] = useState<Task>(taskOfAddress);

  useEffect(() => {
    classify.recall();
    language.recall();
    const warn = (event: BeforeUnloadEvent) => {
      if (classify.leavingWouldLose() || language.leavingWouldLose()) event.preventDefault();
    };
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [classify, language]);

  const choose = (chosen: Task) => {
    taskToAddress(chosen);
    setTask(chosen);
  };
  const tasks = <TaskSwitch task={task} onChange={choose} />;
  return task === "classify" ? (
    <ClassifyDesk key="classify" work={classify} tasks={tasks} />
  ) : (
    <LanguageDesk key="language" work={language} tasks={tasks} />
  );
}
