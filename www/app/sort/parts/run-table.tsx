/** Records of runs as a table, the newest first, each next to what it is compared with. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Comparison, RunRecord } from "webtune";
import { methodNames } from "../../desk/options";
import { bytes, count, duration, nameIn, percent } from "../../ui/format";
import { ScrollBox } from "../../ui/scroll-box";
import { scoreOf } from "../score";
import type { RunsState } from "../state";
import { baselineKeys, baselineNames } from "./baselines";
import { runColor } from "./compare-plots";
import { Difference, judge } from "./difference";
import { axisFrom, IntervalBar } from "./interval-bar";
import "./run-table.css";

const COLUMNS = 7;

interface Props {
  runs: Pick<RunsState, "records" | "hidden" | "reference" | "against" | "unstored">;
  /** The settings cannot be changed now. */
  busy: boolean;
  onShow: (id: string, on: boolean) => void;
  onUse: (id: string) => void;
  /** Shown below a run that is opened. */
  details: (record: RunRecord) => ComponentChildren;
}

export function RunTable({ runs, busy, onShow, onUse, details }: Props) {
  const [opened, setOpened] = useState<string>();
  const { records, hidden, reference, against, unstored } = runs;
  const from = axisFrom(records.map(({ tuned }) => tuned));
  return (
    <ScrollBox label="Runs">
      <table class="runs roomy" data-testid="runs">
        <caption class="sr-only">Runs, the newest first</caption>
        <thead>
          <tr>
            <th scope="col">Accuracy</th>
            <th scope="col">Against reference</th>
            <th scope="col">Against baselines</th>
            <th scope="col">Trained</th>
            <th scope="col">Forgetting</th>
            <th scope="col">Time</th>
            <th scope="col">File</th>
          </tr>
        </thead>
        {records
          .map((record, index) => ({ record, color: runColor(index) }))
          .reverse()
          .map(({ record, color }) => {
            const { id, name, tuned, forgetting } = record;
            const [low, high] = tuned.interval;
            const score = scoreOf(tuned);
            const isOpen = opened === id;
            return (
              <tbody key={id} data-testid="run">
                <tr class="run-head">
                  <th scope="rowgroup" colSpan={COLUMNS}>
                    <div class="run-title">
                      <div>
                        <label class="check">
                          <input
                            type="checkbox"
                            data-testid="run-shown"
                            checked={!hidden.has(id)}
                            aria-label={`Draw the curves of ${name}`}
                            onChange={(event) => onShow(id, event.currentTarget.checked)}
                          />
                          <span class={`swatch ${color.slice(2)}`} aria-hidden="true" />
                          <span data-testid="run-name">{name}</span>
                          {unstored.has(id) ? <span class="tag tag-warn">not stored</span> : null}
                        </label>
                        <span class="sub">
                          {methodWords(record)}, {record.model}, {record.data}, {when(record)}
                        </span>
                      </div>
                      <div class="row tight">
                        <button
                          type="button"
                          data-testid="run-use"
                          disabled={busy}
                          aria-label={`Use these settings: ${name}`}
                          onClick={() => onUse(id)}
                        >
                          Use these settings
                        </button>
                        <button
                          type="button"
                          data-testid="run-more"
                          aria-expanded={isOpen}
                          aria-label={`${isOpen ? "Close" : "Details"}: ${name}`}
                          onClick={() => setOpened(isOpen ? undefined : id)}
                        >
                          {isOpen ? "Close" : "Details"}
                        </button>
                      </div>
                    </div>
                  </th>
                </tr>
                <tr class="run-figures">
                  <td data-label="Accuracy" class="figures" data-testid="run-accuracy">
                    {percent(tuned.accuracy)}
                    <span class="sub">
                      {percent(low, 0)} to {percent(high, 0)}
                    </span>
                    <IntervalBar report={tuned} from={from} strong />
                    {score.several ? <span class="sub">all labels right; micro F1 {percent(score.value)}</span> : null}
                  </td>
                  <td data-label="Against reference" class="figures" data-testid="run-against">
                    <Against record={record} reference={reference} records={records} outcome={against.get(id)} />
                  </td>
                  <td data-label="Against baselines" class="figures nowrap" data-testid="run-baselines">
                    <span class={judge(record.comparison).tag}>{judge(record.comparison).word}</span>
                    {baselineKeys.map((key) => (
                      <span key={key} class={key === record.bestBaseline ? "sub sub-strong" : "sub"}>
                        {baselineNames[key]} {percent(scoreOf(record.baselines[key]).value)}
                      </span>
                    ))}
                  </td>
                  <td data-label="Trained" class="figures run-cost">
                    {count(record.trainedParameters)}
                    <span class="sub">{percent(record.trainedParameters / record.totalParameters, 2)} of all</span>
                  </td>
                  <td data-label="Forgetting" class="figures run-cost">
                    {forgetting.meanCosine.toFixed(3)}
                    <span class="sub">lowest {forgetting.lowest.toFixed(2)}</span>
                  </td>
                  <td data-label="Time" class="figures run-cost">
                    {duration(record.seconds * 1000)}
                    <span class="sub">
                      {record.msPerStep === null ? "no step" : `${count(record.msPerStep)} ms a step`}
                    </span>
                  </td>
                  <td data-label="File" class="figures run-cost">
                    {bytes(record.exportBytes)}
                  </td>
                </tr>
                {isOpen ? (
                  <tr class="run-details">
                    <td colSpan={COLUMNS}>{details(record)}</td>
                  </tr>
                ) : null}
              </tbody>
            );
          })}
      </table>
    </ScrollBox>
  );
}

function methodWords({ options: { method }, device }: RunRecord): string {
  const rank = method.type === "lora" && typeof method.r === "number" ? ` r ${method.r}` : "";
  return `${nameIn(methodNames, method.type)}${rank}, ${device === "webgpu" ? "WebGPU" : "CPU"}`;
}

const dates = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const when = ({ createdAt }: RunRecord): string => {
  const date = new Date(createdAt);
  return Number.isNaN(date.getTime()) ? createdAt : dates.format(date);
};

interface AgainstProps {
  record: RunRecord;
  reference: string | undefined;
  records: RunRecord[];
  outcome: Comparison | string | undefined;
}

function Against({ record, reference, records, outcome }: AgainstProps) {
  if (record.id === reference) return <span class="muted">reference</span>;
  const other = records.find(({ id }) => id === reference);
  if (other && other.itemsKey !== record.itemsKey) return <span class="muted">evaluated on other rows</span>;
  if (outcome === undefined) return <span class="muted">…</span>;
  if (typeof outcome === "string") return <span class="field-error">{outcome}</span>;
  return <Difference comparison={outcome} />;
}
