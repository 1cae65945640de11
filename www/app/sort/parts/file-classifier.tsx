/** Classifies a file of texts: which file and column, how sure a label has to be, progress, and what came out. */

import { ErrorRemedy } from "../../desk/parts/error-remedy";
import { DropZone } from "../../ui/drop-zone";
import { FileButton } from "../../ui/file-button";
import { bytes, count, duration } from "../../ui/format";
import { useKeptFocus } from "../../ui/kept-focus";
import { ProgressLine } from "../../ui/progress-line";
import type { ClassifyFileActions } from "../actions/classify-file";
import { type FileState, isClassifying } from "../file-state";
import { FileColumns } from "./file-columns";
import { FileResult } from "./file-result";

/** Whether single texts were trained or pairs; of an imported adapter it may be either. */
export type Kind = "single" | "pairs" | "either";

interface Props {
  file: FileState;
  kind: Kind;
  /** The engine has other work. */
  disabled: boolean;
  actions: ClassifyFileActions;
}

export function FileClassifier({ file, kind, disabled, actions }: Props) {
  const { status, source, reading, progress, outcome } = file;
  const busy = isClassifying(file);
  const locked = busy || status === "reading" || disabled;
  const buttons = useKeptFocus(status);
  const choose = (folder: Parameters<typeof actions.choose>[0]) => void actions.choose(folder, kind === "single");
  const lacksSecond = kind === "pairs" && reading !== undefined && reading.textPairColumn === undefined;
  return (
    <div class="stack" aria-busy={busy || status === "reading"}>
      <h3>Classify a file</h3>
      <DropZone
        label="Classify a file"
        testId="classify-drop"
        disabled={locked}
        onFolder={choose}
        onError={(error) => actions.showError(error)}
      >
        <p data-testid="classify-source">
          {source ? (
            <>
              <strong>{source.name}</strong>, {bytes(source.content.size)}
            </>
          ) : (
            "Drop a file of texts here, or"
          )}
        </p>
        <div class="row center">
          <FileButton
            label={source ? "Choose another file" : "Choose a file"}
            testId="classify-file"
            disabled={locked}
            onFolder={choose}
          />
        </div>
        <p class="help">
          CSV, TSV, JSON lines or a text on each line, of any size. You get the same file back, with a label and its
          confidence beside the old columns.
        </p>
      </DropZone>
      {reading ? (
        <>
          <FileColumns file={file} reading={reading} kind={kind} disabled={busy || disabled} actions={actions} />
          {lacksSecond ? (
            <p class="help" data-testid="classify-needs">
              This classifier reads pairs of texts: choose the column of the second one.
            </p>
          ) : null}
        </>
      ) : null}
      <div class={reading ? "row" : "sr-only"} ref={buttons} tabIndex={-1}>
        {reading && !busy ? (
          <button
            type="button"
            class={outcome ? "" : "primary"}
            data-testid="classify-start"
            disabled={locked || lacksSecond}
            onClick={() => void actions.start()}
          >
            {outcome ? "Classify again" : "Classify"}
          </button>
        ) : null}
        {busy ? (
          <button
            type="button"
            data-testid="classify-stop"
            disabled={status === "stopping"}
            onClick={() => actions.stop()}
          >
            Stop
          </button>
        ) : null}
        {outcome?.content && !busy ? (
          <button
            type="button"
            class={outcome.downloaded ? "" : "primary"}
            data-testid="classify-download"
            onClick={() => actions.download()}
          >
            Download {outcome.name}
          </button>
        ) : null}
      </div>
      {busy && progress ? (
        <ProgressLine
          testId="classify-progress"
          label="Classifying the file"
          share={progress.share}
          text={inWords(progress)}
        />
      ) : null}
      <ErrorRemedy
        message={file.error}
        remedy={file.remedy}
        testId="classify-error"
        onTake={() => void actions.read({ ...file.options, encoding: "windows-1252" }, kind === "single")}
      />
      {outcome && !busy ? <FileResult outcome={outcome} /> : null}
    </div>
  );
}

function inWords({ rows, perSecond, msLeft }: NonNullable<FileState["progress"]>): string {
  const speed = perSecond > 0 ? `, ${count(perSecond)} a second` : "";
  const left = msLeft === undefined ? "" : `, about ${duration(msLeft)} left`;
  return `${rows === 1 ? "1 row" : `${count(rows)} rows`} done${speed}${left}`;
}
