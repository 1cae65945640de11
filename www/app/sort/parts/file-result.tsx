/** What became of a file's rows. */
import { count, counted, duration, listed } from "../../ui/format";
import "./file-result.css";
import type { FileOutcome, FileTally } from "../file-state";

/** Rows with a problem that are shown at first. */
const FEW = 5;
/** After so many seconds a speed says something. */
const SETTLED = 2;

export function FileResult({ outcome }: { outcome: FileOutcome }) {
  const { name, ended, tally, content, quoted } = outcome;
  const labels = [...tally.labels].map(([label, rows]) => `${label} (${count(rows)})`);
  const where = content ? `Download it as ${name}.` : `They are in ${name}.`;
  return (
    <div class="stack" data-testid="classify-outcome" data-ended={ended}>
      <div class={ended === "all" ? "note note-good" : "note note-warn"}>
        <p data-testid="classify-summary">
          {beginning(outcome)}: {rowsOf(tally)}. {where}
        </p>
        {labels.length > 0 ? <p data-testid="classify-labels">{listed(labels)}</p> : null}
      </div>
      {tally.problems > 0 ? <Problems tally={tally} /> : null}
      {tally.formulas > 0 && !quoted ? (
        <p class="note note-warn" data-testid="classify-formula-note">
          {counted(tally.formulas, "cell")} of your own {tally.formulas === 1 ? "begins" : "begin"} as a formula and{" "}
          {tally.formulas === 1 ? "is" : "are"} as before. If others wrote the file, tick the box under “How the file is
          read” and classify it again before you open it in a spreadsheet.
        </p>
      ) : null}
    </div>
  );
}

function beginning({ ended, tally: { rows }, seconds }: FileOutcome): string {
  const speed = seconds > SETTLED ? `, ${count(rows / seconds)} rows a second` : "";
  // Less is no time to a person.
  const time = `${duration(Math.max(1000, 1000 * seconds))}${speed}`;
  if (ended === "all") return `Done in ${time}`;
  return `${ended === "stopped" ? "Stopped" : "Ended by an error"} after ${time}; the rows so far`;
}

function rowsOf({ rows, labelled, unsure, blank, problems }: FileTally): string {
  const parts = [
    `${count(labelled)} of ${counted(rows, "row")} labelled`,
    unsure > 0 ? `${count(unsure)} under the least confidence` : "",
    blank > 0 ? `${count(blank)} without a text` : "",
    problems > 0 ? `${count(problems)} that cannot be read` : "",
  ];
  return parts.filter((part) => part !== "").join(", ");
}

function Problems({ tally: { problems, problemRows } }: { tally: FileTally }) {
  const item = ({ row, line, problem }: FileTally["problemRows"][number]) => (
    <li key={row}>
      Row {count(row)}
      {line === row ? "" : ` (line ${count(line)})`}: {problem}
    </li>
  );
  const more = problemRows.slice(FEW);
  return (
    <div class="note note-warn" data-testid="classify-problems">
      <p>
        {problems === 1 ? "This row is" : `These ${count(problems)} rows are`} in the result as{" "}
        {problems === 1 ? "it was" : "they were"}, without a label:
      </p>
      <ul class="problem-rows">{problemRows.slice(0, FEW).map(item)}</ul>
      {more.length > 0 ? (
        <details>
          <summary>{problems > problemRows.length ? `The first ${count(problemRows.length)}` : "All of them"}</summary>
          <ul class="problem-rows">{more.map(item)}</ul>
        </details>
      ) : null}
    </div>
  );
}
