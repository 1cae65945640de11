/**
 * Enters: nothing. Leaves: the page with its six steps, the live region and the warning before leaving.
 */
import { useEffect, useMemo, useState } from "preact/hooks";
import { ExampleActions } from "./actions/examples";
import { ModelActions } from "./actions/model";
import { RunActions } from "./actions/run";
import { RunsActions } from "./actions/runs";
import { UseActions } from "./actions/use";
import { check } from "./checks";
import { counted, percent } from "./format";
import { deviceName } from "./parts/model-card";
import { type NavItem, StepNav } from "./parts/step-nav";
import { isBusy, leavingWouldLose, type State, Store, useStore } from "./state";
import { CompareStep } from "./steps/compare";
import { ExamplesStep } from "./steps/examples";
import { ModelStep } from "./steps/model";
import { ResultsStep } from "./steps/results";
import { TrainStep } from "./steps/train";
import { UseStep } from "./steps/use";

function create() {
  const store = new Store();
  const model = new ModelActions(store);
  const runs = new RunsActions(store);
  const tuner = () => model.tuner;
  const crashed = () => model.drop();
  return {
    store,
    model,
    examples: new ExampleActions(store),
    run: new RunActions(store, tuner, runs, crashed),
    runs,
    use: new UseActions(store, tuner, crashed),
  };
}

export function App() {
  const [actions] = useState(create);
  const { store } = actions;
  const state = useStore(store);
  const checked = useMemo(() => check(state.examples.rows), [state.examples.rows]);

  useEffect(() => {
    void actions.examples.recall();
    void actions.runs.recall();
  }, [actions]);
  useEffect(() => {
    const warn = (event: BeforeUnloadEvent) => {
      if (leavingWouldLose(store.state)) event.preventDefault();
    };
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [store]);

  const { report } = state.model;
  return (
    <>
      <a class="skip" href="#model">
        Skip to the first step
      </a>
      <header class="top">
        <div class="brand">
          <h1>webtune</h1>
          <p>Teach a small language model your labels, in this tab. No text leaves it.</p>
        </div>
        {report ? (
          <p class="pill" title={report.reason} data-testid="device-pill">
            {deviceName(report)}
          </p>
        ) : null}
      </header>
      <div class="layout">
        <StepNav items={navItems(state, checked.usable.length)} />
        <main>
          <ModelStep state={state} store={store} actions={actions.model} />
          <ExamplesStep state={state} store={store} checked={checked} actions={actions.examples} />
          <TrainStep state={state} checked={checked} actions={actions.run} />
          <ResultsStep state={state} />
          <UseStep state={state} store={store} actions={actions.use} />
          <CompareStep state={state} actions={actions.runs} />
        </main>
      </div>
      <p class="sr-only" role="status" aria-live="polite" data-testid="announcement">
        {state.announcement}
      </p>
    </>
  );
}

function navItems({ model, run, result, runs }: State, examples: number): NavItem[] {
  const busy = isBusy(run);
  const { step, totalSteps } = run.curves;
  const share = step > 0 ? percent(step / totalSteps, 0) : "started";
  const items: (Omit<NavItem, "state"> & { done: boolean })[] = [
    {
      id: "model",
      title: "Model",
      done: model.info !== undefined,
      note: model.info?.name.split("/").pop() ?? "choose one",
    },
    {
      id: "examples",
      title: "Examples",
      done: examples > 0,
      note: examples > 0 ? counted(examples, "row") : "none yet",
    },
    {
      id: "train",
      title: "Train",
      done: result.origin !== undefined && !busy,
      note: busy ? (run.status === "paused" ? "paused" : share) : result.origin ? result.origin : "not yet",
    },
    {
      id: "results",
      title: "Results",
      done: result.finished !== undefined && !busy,
      note: result.finished ? `${percent(result.finished.evaluation.tuned.accuracy)} right` : "not yet",
    },
    {
      id: "use",
      title: "Use it",
      done: result.origin === "trained" && result.exported && !busy,
      note: result.origin ? (result.exported ? "ready" : "not exported yet") : "not yet",
    },
    {
      id: "compare",
      title: "Compare",
      done: runs.records.length > 1,
      note: runs.records.length > 0 ? counted(runs.records.length, "run") : "no run yet",
    },
  ];
  const next = items.findIndex((item) => !item.done);
  return items.map(({ done, ...item }, index) => ({
    ...item,
    state: done ? "done" : index === next ? "current" : "later",
  }));
}
