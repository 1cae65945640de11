/** One run's verdict, settings, baselines and rates, and the ways to rename, export and delete it. */
import { useId, useState } from "preact/hooks";
import type { RunRecord } from "webtune";
import { BaselineTable } from "./baselines";
import { LayerRates } from "./layer-rates";
import { SeedTable } from "./seed-table";
import { SettingList } from "./setting-list";

interface Props {
  record: RunRecord;
  reference: RunRecord | undefined;
  onRename: (name: string) => void;
  onExport: (withTexts: boolean) => void;
  onDelete: () => void;
}

export function RunDetails({ record, reference, onRename, onExport, onDelete }: Props) {
  const id = useId();
  const [name, setName] = useState(record.name);
  const [texts, setTexts] = useState(false);
  const other = reference && reference.id !== record.id ? reference : undefined;
  return (
    <div class="stack" data-testid="run-details">
      <p>{record.verdict}</p>
      <div class="row spread">
        <form
          class="row"
          onSubmit={(event) => {
            event.preventDefault();
            onRename(name);
          }}
        >
          <label for={id}>Name</label>
          <input
            id={id}
            type="text"
            data-testid="run-rename"
            autocomplete="off"
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
          <button type="submit" data-testid="run-rename-save" disabled={name.trim() === "" || name === record.name}>
            Rename
          </button>
        </form>
        <div class="row">
          <button type="button" data-testid="run-export" onClick={() => onExport(texts)}>
            Export as JSON
          </button>
          <label class="check" title={record.rows ? undefined : "Texts are deleted when the page is closed."}>
            <input
              type="checkbox"
              data-testid="run-texts"
              checked={texts}
              disabled={!record.rows}
              onChange={(event) => setTexts(event.currentTarget.checked)}
            />
            {record.rows ? "with the validation texts" : "its texts were not stored"}
          </label>
        </div>
        <button type="button" class="danger" data-testid="run-delete" onClick={onDelete}>
          Delete
        </button>
      </div>
      <BaselineTable
        baselines={record.baselines}
        best={record.bestBaseline}
        tuned={{ name: "This run", report: record.tuned, comparison: record.comparison }}
      />
      {record.seeds ? (
        <SeedTable
          runs={record.seeds.runs.map(({ accuracy, ...run }) => ({ ...run, value: accuracy }))}
          summary={record.seeds}
        />
      ) : null}
      <LayerRates testId="run-rates" rates={record.rates} lastStep={record.steps} />
      <h3>Settings{other ? `, next to those of ${other.name}` : ""}</h3>
      {record.reasons.length > 0 ? (
        <ul>
          {record.reasons.map((reason) => (
            <li key={reason}>{reason}</li>
          ))}
        </ul>
      ) : null}
      <SettingList options={record.options} other={other?.options} />
    </div>
  );
}
