/**
 * Enters: a desk's steps and how far they are. Leaves: the page's frame around them, with the live region.
 */
import type { ComponentChildren } from "preact";
import type { DeviceReport } from "webtune";
import { deviceName } from "../sort/parts/model-card";
import type { StepId } from "../ui/step-card";
import { type NavItem, StepNav } from "../ui/step-nav";
import "./desk-frame.css";

export interface StepNote {
  id: StepId;
  title: string;
  done: boolean;
  note: string;
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
  /** The choice among desks. */
  tasks: ComponentChildren;
  report: DeviceReport | undefined;
  steps: StepNote[];
  announcement: string;
  children: ComponentChildren;
}

export function DeskFrame({ lead, tasks, report, steps, announcement, children }: Props) {
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
              {deviceName(report)}
            </p>
          ) : null}
          {tasks}
        </div>
      </header>
      <div class="layout">
        <StepNav items={inOrder(steps)} />
        <main>{children}</main>
      </div>
      <p class="sr-only" role="status" aria-live="polite" data-testid="announcement">
        {announcement}
      </p>
    </>
  );
}
