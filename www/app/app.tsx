/** The page: two desks, one of them in view, the warning before leaving, and what is said of the page itself. */
import { useEffect, useState } from "preact/hooks";
import { isBusy } from "./desk/state";
import { useStore } from "./desk/store";
import type { TaskName } from "./desk/task";
import { TaskSwitch, taskOfAddress, taskToAddress } from "./desk/task-switch";
import { KeptHere } from "./offline/kept-here";
import { NewVersion } from "./offline/new-version";
import { Offline } from "./offline/offline";
import { SortDesk, SortDeskView } from "./sort/desk";
import { isClassifying } from "./sort/file-state";
import { WriteDesk, WriteDeskView } from "./write/desk";

export function App() {
  // Switching tasks keeps the work in the other one.
  const [sort] = useState(() => new SortDesk());
  const [write] = useState(() => new WriteDesk());
  const [task, setTask] = useState<TaskName>(taskOfAddress);
  const [offline] = useState(() => new Offline());
  const [stored, setStored] = useState(offline.state);

  useEffect(() => {
    offline.onChange = setStored;
    void offline.start();
  }, [offline]);

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
  return (
    <>
      {stored.newVersion ? <Update sort={sort} write={write} onReload={() => offline.takeNewVersion()} /> : null}
      {task === "classify" ? (
        <SortDeskView key="classify" desk={sort} tasks={tasks} />
      ) : (
        <WriteDeskView key="write" desk={write} tasks={tasks} />
      )}
      <KeptHere offline={stored} />
    </>
  );
}

/** On its own, so that only a page with news is drawn again at each step of a run. */
function Update({ sort, write, onReload }: { sort: SortDesk; write: WriteDesk; onReload: () => void }) {
  const { run, file } = useStore(sort.store);
  const sorting = isBusy(run) || isClassifying(file);
  const writing = isBusy(useStore(write.store).run);
  return <NewVersion busy={sorting || writing} onReload={onReload} />;
}
