/** The page: two desks, one of them in view, and the warning before leaving. */
import { useEffect, useState } from "preact/hooks";
import type { TaskName } from "./desk/task";
import { TaskSwitch, taskOfAddress, taskToAddress } from "./desk/task-switch";
import { SortDesk, SortDeskView } from "./sort/desk";
import { WriteDesk, WriteDeskView } from "./write/desk";

export function App() {
  // Switching tasks keeps the work in the other one.
  const [sort] = useState(() => new SortDesk());
  const [write] = useState(() => new WriteDesk());
  const [task, setTask] = useState<TaskName>(taskOfAddress);

  useEffect(() => {
    sort.recall();
    write.recall();
    const warn = (event: BeforeUnloadEvent) => {
      if (sort.leavingWouldLose() || write.leavingWouldLose()) event.preventDefault();
    };
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [sort, write]);

  const choose = (chosen: TaskName) => {
    taskToAddress(chosen);
    setTask(chosen);
  };
  const tasks = <TaskSwitch task={task} onChange={choose} />;
  return task === "classify" ? (
    <SortDeskView key="classify" desk={sort} tasks={tasks} />
  ) : (
    <WriteDeskView key="write" desk={write} tasks={tasks} />
  );
}
