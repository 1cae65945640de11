/** The sixth step: runs are compared, and their settings can be reused. */
import { useId } from "preact/hooks";
import type { RunRecord } from "webtune";
import { isBusy } from "../../desk/state";
import { Alert } from "../../ui/alert";
import { Boundary } from "../../ui/boundary";
import { useConfirm } from "../../ui/confirm";
import { FileButton } from "../../ui/file-button";
import { StepCard } from "../../ui/step-card";
import type { KeptRunsActions } from "../actions/kept-runs";
import { ComparePlots } from "../parts/compare-plots";
import { RunDetails } from "../parts/run-details";
import { RunTable } from "../parts/run-table";
import type { SortState } from "../state";

/** Shows a step and moves the keyboard focus there. */
function goTo(id: string): void {
  const place = document.getElementById(id);
  place?.focus({ preventScroll: true });
  place?.scrollIntoView({ block: "start" });
}

export function CompareStep({ state, actions }: { state: SortState; actions: KeptRunsActions }) {
  const { runs, run } = state;
  const { records, reference } = runs;
  const id = useId();
  const { ask, dialog } = useConfirm();

  const use = (run: string) => {
    actions.useSettings(run);
    goTo("train");
  };
  const remove = (record: RunRecord) =>
    ask({
      title: "Delete this run?",
      text: `${record.name} will be deleted from this browser. Exported files stay.`,
      yes: "Delete it",
      act: () => {
        void actions.remove(record.id);
        goTo("compare");
      },
    });

  return (
    <StepCard
      id="compare"
      number={6}
      title="Compare"
      lead={
        records.length > 0
          ? "Runs stay in this browser until you delete them: settings, results, the file's name, labels and their descriptions, but no examples."
          : "Each finished run is kept in this browser with its settings, results, the file's name, labels and their descriptions, but no examples."
      }
    >
      {dialog}
      <div class="row spread">
        {records.length > 1 ? (
          <div class="row">
            <label for={id}>Reference</label>
            <select
              id={id}
              class="inline"
              data-testid="reference"
              value={reference ?? ""}
              onChange={(event) => void actions.setReference(event.currentTarget.value)}
            >
              {records.map((record) => (
                <option key={record.id} value={record.id}>
                  {record.name}
                </option>
              ))}
            </select>
          </div>
        ) : null}
        <FileButton
          label="Import run files"
          testId="runs-import"
          accept=".json,application/json"
          multiple
          onFolder={(folder) => void actions.import(folder)}
        />
      </div>
      <Alert message={runs.error} testId="runs-error" />
      <p class="status" data-testid="runs-note">
        {runs.note ?? ""}
      </p>
      {runs.unreadable.map((one) => (
        <div key={String(one.key)} class="note note-warn row between" data-testid="run-unreadable">
          <p>A stored run cannot be read: {one.reason}.</p>
          <button type="button" data-testid="run-unreadable-delete" onClick={() => void actions.removeUnreadable(one)}>
            Delete it
          </button>
        </div>
      ))}
      {records.length > 0 ? (
        <>
          <RunTable
            runs={runs}
            busy={isBusy(run)}
            onShow={(run, on) => actions.show(run, on)}
            onUse={use}
            details={(record) => (
              <Boundary key={record.id} name="This run">
                <RunDetails
                  record={record}
                  reference={records.find((one) => one.id === reference)}
                  onRename={(name) => void actions.rename(record.id, name)}
                  onExport={(withTexts) => actions.export(record.id, withTexts)}
                  onDelete={() => remove(record)}
                />
              </Boundary>
            )}
          />
          {records.length > 1 ? (
            <p class="help">
              Differences and their 95% intervals come from a paired bootstrap on the same validation rows. An interval
              that contains 0 is within the noise. Runs on other rows cannot be compared this way.
            </p>
          ) : null}
          <ComparePlots records={records} hidden={runs.hidden} />
        </>
      ) : null}
    </StepCard>
  );
}
