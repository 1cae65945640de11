/** Renders a run from a file out of sight, with all that is shown of it, before it is listed and stored. */
import { render } from "preact";
import type { RunRecord } from "webtune";
import { ComparePlots } from "./parts/compare-plots";
import { RunDetails } from "./parts/run-details";
import { RunTable } from "./parts/run-table";

const nothing = (): void => undefined;

/** As it is shown once it is listed. */
export const Trial = ({ record }: { record: RunRecord }) => (
  <>
    <RunTable
      runs={{ records: [record], hidden: new Set(), against: new Map(), unstored: new Set() }}
      busy={false}
      onShow={nothing}
      onUse={nothing}
      details={() => null}
    />
    <RunDetails record={record} reference={undefined} onRename={nothing} onExport={nothing} onDelete={nothing} />
    <ComparePlots records={[record]} hidden={new Set()} />
  </>
);

/** @throws what rendering throws. */
export function tryToShow(record: RunRecord): void {
  const place = document.createElement("div");
  try {
    render(<Trial record={record} />, place);
  } finally {
    render(null, place);
  }
}
