/** Offers to go on with a run that was cut off, or to forget it; asks for what could not be stored of its model. */
import { useEffect, useRef, useState } from "preact/hooks";
import { Alert } from "../../ui/alert";
import { useConfirm } from "../../ui/confirm";
import { FileButton } from "../../ui/file-button";
import { count, counted } from "../../ui/format";
import { ProgressLine } from "../../ui/progress-line";
import type { UnfinishedActions } from "../actions/unfinished";
import type { Missing } from "../source-form";
import { type DeskState, isBusy, wouldLoseResult } from "../state";
import type { TaskTypes } from "../task";
import type { UnfinishedRun } from "../unfinished-runs";
import "./unfinished-notice.css";

const time = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short" });

/** What the run was, in one sentence. */
function inWords({ model, rowCount, startedAt, states: [newest] }: UnfinishedRun, noun: string): string {
  const where = newest?.step ? `at step ${count(newest.step)} of ${count(newest.totalSteps)}` : "before its first step";
  const how = newest
    ? `It was ${where} on ${time.format(newest.at)}`
    : `It was started on ${time.format(startedAt)}, and no state of it was kept yet, so it begins anew`;
  return `A run of ${model.name} on ${counted(rowCount, noun)} was cut off. ${how}.`;
}

interface Props<T extends TaskTypes> {
  state: DeskState<T>;
  actions: UnfinishedActions<T>;
  /** What a row is called. */
  noun: string;
}

export function UnfinishedNotice<T extends TaskTypes>({ state, actions, noun }: Props<T>) {
  const { model, run, unfinished } = state;
  const { offered, continuing, error } = unfinished;
  const [isAsking, ask] = useState(false);
  const { askIf, ask: confirm, dialog } = useConfirm();
  const busy = isBusy(run) || model.status === "loading" || continuing;
  useTrainInView(continuing, isBusy(run));
  const place = useInView(offered?.id);
  const go = (missing: Missing) =>
    askIf(wouldLoseResult(state), {
      title: "Continue the other run?",
      text: "The tuned result has not been exported. Continuing discards it.",
      yes: "Discard it and continue",
      act: () => {
        ask(false);
        void actions.continue(missing);
      },
    });
  const discard = () =>
    confirm({
      title: "Discard the run?",
      text: "Its rows and its state are removed from this browser. It cannot continue then.",
      yes: "Discard it",
      act: () => {
        // The pressed button goes, and the keyboard's place moves to the first step.
        void actions.discard().then(() => document.getElementById("model")?.focus({ preventScroll: true }));
      },
    });
  const form = offered?.model.form;
  const lacks = form?.kind === "files" || form?.hadToken === true;

  return (
    <section
      ref={place}
      class={offered ? "unfinished" : "alert-empty"}
      aria-label="A run that was cut off"
      data-testid="unfinished"
    >
      {dialog}
      <p role="alert" data-testid="unfinished-text">
        {offered ? inWords(offered, noun) : null}
      </p>
      {offered && form ? (
        <>
          <div class="row">
            <button
              type="button"
              class="primary"
              data-testid="continue-run"
              disabled={busy}
              aria-expanded={lacks ? isAsking : undefined}
              onClick={() => (lacks ? ask(true) : go({}))}
            >
              Continue
            </button>
            <button type="button" data-testid="discard-run" disabled={continuing} onClick={discard}>
              Discard
            </button>
          </div>
          {isAsking && form.kind === "files" ? (
            <FolderQuestion name={form.folderName} disabled={busy} onAnswer={go} />
          ) : null}
          {isAsking && form.hadToken ? <TokenQuestion disabled={busy} onAnswer={go} /> : null}
          {continuing && model.progress ? (
            <ProgressLine testId="unfinished-progress" label="Loading the model" {...model.progress} />
          ) : null}
        </>
      ) : null}
      <Alert message={offered ? error : undefined} testId="unfinished-error" />
    </section>
  );
}

interface QuestionProps {
  disabled: boolean;
  onAnswer: (missing: Missing) => void;
}

function FolderQuestion({ name, disabled, onAnswer }: QuestionProps & { name: string }) {
  const place = useFocusedFirst();
  return (
    <div class="stack" ref={place}>
      <p role="status">
        Its model was read from {name ? `the folder ${name}` : "files"} on this computer, which a page cannot open again
        by itself. Choose {name ? "it" : "them"} once more.
      </p>
      <div class="row">
        <FileButton
          label="Choose the folder"
          testId="continue-folder"
          folder
          disabled={disabled}
          onFolder={(folder) => onAnswer({ folder })}
        />
        <FileButton
          label="Choose files"
          testId="continue-files"
          multiple
          disabled={disabled}
          onFolder={(folder) => onAnswer({ folder })}
        />
      </div>
    </div>
  );
}

function TokenQuestion({ disabled, onAnswer }: QuestionProps) {
  const [token, setToken] = useState("");
  const place = useFocusedFirst();
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        onAnswer({ accessToken: token });
      }}
    >
      <div class="field" ref={place}>
        <label for="continue-token">Access token (it was not stored)</label>
        <input
          type="text"
          class="secret"
          id="continue-token"
          data-testid="continue-token"
          autocomplete="off"
          spellcheck={false}
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
      </div>
      <div class="row">
        <button type="submit" data-testid="continue-with-token" disabled={disabled}>
          Load the model and continue
        </button>
      </div>
    </form>
  );
}

/** The question comes at a press: the keyboard goes where it is answered. */
function useFocusedFirst() {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => place.current?.querySelector("input")?.focus({ preventScroll: true }), []);
  return place;
}

/** After a reload the browser is where the page was scrolled to. Whoever is at work elsewhere stays there. */
function useInView(id: string | undefined) {
  const place = useRef<HTMLElement>(null);
  useEffect(() => {
    if (id && document.activeElement === document.body) place.current?.scrollIntoView({ block: "nearest" });
  }, [id]);
  return place;
}

/** Once the run goes on, the notice is gone and there is more to see further down. */
function useTrainInView(continuing: boolean, isGoing: boolean): void {
  const was = useRef(false);
  useEffect(() => {
    if (was.current && isGoing) document.getElementById("train")?.scrollIntoView();
    was.current = continuing;
  }, [continuing, isGoing]);
}
