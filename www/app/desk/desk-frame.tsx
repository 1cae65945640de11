/** The frame of a desk: header, list of steps, the steps themselves and the live region. */
import { type ComponentChildren, toChildArray } from "preact";
import { Boundary } from "../ui/boundary";
import { counted, percent } from "../ui/format";
import type { StepId } from "../ui/step-card";
import { type NavItem, StepNav } from "../ui/step-nav";
import { coresOf, deviceName } from "./parts/model-facts";
import { type DeskState, isBusy } from "./state";
import "./desk-frame.css";

export interface StepNote {
  id: StepId;
  title: string;
  done: boolean;
  note: string;
}

interface RowWords {
  id: StepId;
  title: string;
  /** Rows that can train. */
  usable: number;
  noun: string;
}

/** How far the steps of both desks are. `score` is the result of the last run in a few words. */
export function stepNotes({ model, run, result }: DeskState, rows: RowWords, score: string | undefined): StepNote[] {
  const busy = isBusy(run);
  const { origin, exported } = result;
  const { step, totalSteps } = run.curves;
  const share = step > 0 ? percent(step / totalSteps, 0) : "started";
  const name = model.info?.name.split("/").pop();
  return [
    { id: "model", title: "Model", done: name !== undefined, note: name ?? "choose one" },
    {
      id: rows.id,
      title: rows.title,
      done: rows.usable > 0,
      note: rows.usable > 0 ? counted(rows.usable, rows.noun) : "none yet",
    },
    {
      id: "train",
      title: "Train",
      done: origin !== undefined && !busy,
      note: busy ? (run.status === "paused" ? "paused" : share) : (origin ?? "not yet"),
    },
    { id: "results", title: "Results", done: score !== undefined && !busy, note: score ?? "not yet" },
    {
      id: "use",
      title: "Use it",
      done: origin === "trained" && exported && !busy,
      note: origin ? (exported ? "ready" : "not exported yet") : "not yet",
    },
  ];
}

/** The first step that is not done is the next one. */
function inOrder(steps: StepNote[]): NavItem[] {
  const next = steps.findIndex((step) => !step.done);
  return steps.map(({ done, ...step }, index) => ({
    ...step,
    state: done ? "done" : index === next ? "current" : "later",
  }));
}

interface Props {
  lead: string;
  /** The switch between tasks. */
  tasks: ComponentChildren;
  state: DeskState;
  /** Above the steps. */
  notice: ComponentChildren;
  notes: StepNote[];
  /** One child per note. */
  children: ComponentChildren;
}

export function DeskFrame({ lead, tasks, state, notice, notes, children }: Props) {
  const { report } = state.model;
  return (
    <>
      <a class="skip" href="#model">
        Skip to the first step
      </a>
      <header class="top">
        <div class="brand">
          <h1>webtune</h1>
          <p>{lead}</p>
        </div>
        <div class="top-right">
          {report ? (
            <p class="pill" title={report.reason} data-testid="device-pill">
              {[deviceName(report), coresOf(report)].filter(Boolean).join(", ")}
            </p>
          ) : null}
          {tasks}
        </div>
      </header>
      <div class="layout">
        <StepNav items={inOrder(notes)} />
        <main>
          <Boundary name="The run that was cut off">{notice}</Boundary>
          {toChildArray(children).map((step, index) => {
            const title = notes[index]?.title ?? "This step";
            return (
              <Boundary key={title} name={title}>
                {step}
              </Boundary>
            );
          })}
        </main>
      </div>
      <p class="sr-only" role="status" aria-live="polite" data-testid="announcement">
        {state.announcement}
      </p>
    </>
  );
}
