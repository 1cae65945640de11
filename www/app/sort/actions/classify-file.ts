/** Labels the rows of a file, however long it is: reads it, asks the tuned model, and writes it with two more columns. */
import {
  type Classified,
  classifyRows,
  isFormula,
  openTable,
  type TableOptions,
  type TableRow,
  WebtuneError,
  writeTable,
  writtenName,
} from "webtune";
import type { ModelActions } from "../../desk/actions/model";
import type { Store } from "../../desk/store";
import { keepScreenOn } from "../../desk/wake-lock";
import { download, type Folder } from "../../ui/files";
import { codeOf, count, counted, messageOf } from "../../ui/format";
import type { FileOutcome, FileProblem, FileTally } from "../file-state";
import { type FileTarget, pickTarget } from "../file-target";
import type { SortState, SortTypes } from "../state";

/** Rows that cannot be read and are shown. */
const SHOWN = 50;
/** Between two notices of progress, in milliseconds. */
const PAUSE = 200;
/** After so many milliseconds a speed says something. */
const SETTLED = 1500;

export class ClassifyFileActions {
  #stopping: AbortController | undefined;

  constructor(
    private readonly store: Store<SortState>,
    private readonly model: ModelActions<SortTypes>,
  ) {}

  /** @param single Whether single texts were trained, so that a known pair's second text is not read. */
  async choose(folder: Folder, single: boolean): Promise<void> {
    const [file, second] = folder.files;
    if (!file) return;
    if (second) {
      this.store.patch("file", { error: `Expected one file, found ${count(folder.files.length)}.`, remedy: undefined });
      return;
    }
    const fresh = { options: {}, reading: undefined, outcome: undefined };
    this.store.patch("file", { source: { name: file.path, content: file.blob }, ...fresh });
    await this.read({}, single);
  }

  showError(error: string): void {
    this.store.patch("file", { error, remedy: undefined });
  }

  /** Looks at the beginning of the file. What it cannot be read as leaves it as it was read before. */
  async read(options: TableOptions, single = false): Promise<void> {
    const { store } = this;
    const { source, options: before } = store.state.file;
    if (!source) return;
    store.patch("file", { status: "reading", options, error: undefined, remedy: undefined });
    const isLatest = () => store.state.file.source === source && store.state.file.options === options;
    try {
      const table = await openTable(source.content, { name: source.name, ...options });
      await table.close();
      if (!isLatest()) return;
      const { reading } = table;
      const alone = single && options.textColumn === undefined ? { ...reading, textPairColumn: undefined } : reading;
      store.patch("file", { status: "idle", reading: alone });
      store.announce(`${source.name} is read as texts from the column ${reading.textColumn}.`);
    } catch (error) {
      if (!isLatest()) return;
      const remedy = error instanceof WebtuneError ? error.remedy : undefined;
      store.patch("file", { status: "idle", options: before, error: messageOf(error), remedy });
    }
  }

  set(change: { threshold: string } | { quoteFormulas: boolean }): void {
    this.store.patch("file", change);
  }

  async start(): Promise<void> {
    const { store } = this;
    const { source, reading, threshold: typed } = store.state.file;
    if (!source || !reading) return;
    const threshold = typed.trim() === "" ? 0 : Number(typed.replace(",", ".")) / 100;
    if (!(threshold >= 0 && threshold <= 1)) {
      this.showError(`Least confidence: expected a number from 0 to 100, found ${typed}.`);
      return;
    }
    let target: FileTarget;
    try {
      target = await pickTarget(writtenName(reading));
    } catch (error) {
      // Closing the browser's dialog is no failure.
      if (codeOf(error) !== "aborted") this.showError(messageOf(error));
      return;
    }
    const stopping = new AbortController();
    this.#stopping = stopping;
    const progress = { rows: 0, share: 0, perSecond: 0, msLeft: undefined };
    store.patch("file", { status: "running", progress, outcome: undefined, error: undefined, remedy: undefined });
    store.patch("result", { busy: true });
    store.announce(`Classifying ${source.name}.`);
    const letScreenOff = keepScreenOn();
    try {
      await this.#run(target, threshold, stopping.signal);
    } finally {
      letScreenOff();
      store.patch("result", { busy: false });
      store.patch("file", { status: "idle", progress: undefined });
    }
  }

  stop(): void {
    this.store.patch("file", { status: "stopping" });
    this.#stopping?.abort();
  }

  download(): void {
    const { outcome } = this.store.state.file;
    if (!outcome?.content) return;
    download(outcome.name, outcome.content, "application/octet-stream");
    this.store.patch("file", { outcome: { ...outcome, downloaded: true } });
  }

  /** Writes as far as it comes: what is done is kept, whatever ends it. */
  async #run(target: FileTarget, threshold: number, signal: AbortSignal): Promise<void> {
    const { source, reading, options, quoteFormulas: quoted } = this.store.state.file;
    if (!source || !reading) return;
    const tally = new Tally();
    const begun = performance.now();
    let ended: FileOutcome["ended"] = "all";
    let failure: unknown;
    try {
      const { textColumn, textPairColumn } = reading;
      const table = await openTable(source.content, { name: source.name, ...options, textColumn, textPairColumn });
      const predict = (texts: Parameters<SortTypes["tuner"]["predict"]>[0]) =>
        this.model.use((tuner) => tuner.predict(texts));
      const answers = this.#told(classifyRows(predict, table.rows(), { threshold, signal }), tally, begun);
      for await (const bytes of writeTable(table, answers, { formulas: quoted ? "quote" : "keep" })) {
        await target.write(bytes);
      }
    } catch (error) {
      ended = codeOf(error) === "aborted" && signal.aborted ? "stopped" : "failed";
      failure = error;
    }
    const seconds = (performance.now() - begun) / 1000;
    let content: Blob | undefined;
    try {
      content = await target.end();
    } catch (error) {
      const lost = `${target.name} could not be written: ${messageOf(error)}`;
      this.showError(ended === "failed" ? `${inPageWords(failure)} ${lost}` : lost);
      return;
    }
    if (ended === "failed") this.showError(inPageWords(failure));
    const { name } = target;
    if (ended === "failed" && tally.rows === 0) return;
    const outcome = { name, ended, tally: tally.taken(), seconds, quoted, content, downloaded: false };
    this.store.patch("file", { outcome });
    this.store.announce(`${counted(tally.rows, "row")} ${tally.rows === 1 ? "is" : "are"} classified.`);
  }

  /** Passes answers on, and shows how far they are. */
  async *#told(answers: AsyncIterable<Classified<TableRow>>, tally: Tally, begun: number) {
    const size = this.store.state.file.source?.content.size ?? 0;
    let next = begun;
    for await (const answer of answers) {
      tally.add(answer);
      const now = performance.now();
      if (now >= next) {
        next = now + PAUSE;
        const share = Math.min(1, answer.row.position / Math.max(1, size));
        const ms = now - begun;
        const msLeft = ms > SETTLED && share > 0 ? (ms * (1 - share)) / share : undefined;
        const perSecond = ms > SETTLED ? (1000 * tally.rows) / ms : 0;
        this.store.patch("file", { progress: { rows: tally.rows, share, perSecond, msLeft } });
      }
      yield answer;
    }
  }
}

/** What the package calls an option is a choice on the page. */
function inPageWords(error: unknown): string {
  return messageOf(error)
    .replace(/^texts, row \d+: /, "")
    .replace("leave textPair out", "choose “none: single texts” as the column of second texts")
    .replace("give the second one as textPair", "choose the column of second texts");
}

/** Counts rows by what becomes of them. */
class Tally {
  rows = 0;
  #labelled = 0;
  #unsure = 0;
  #blank = 0;
  #formulas = 0;
  #problems = 0;
  readonly #problemRows: FileProblem[] = [];
  readonly #labels = new Map<string, number>();

  add({ row, label, prediction, problem }: Classified<TableRow>): void {
    this.rows += 1;
    for (const cell of row.cells) if (isFormula(cell)) this.#formulas += 1;
    if (problem !== undefined) {
      this.#problems += 1;
      if (this.#problems <= SHOWN) this.#problemRows.push({ row: row.row, line: row.line, problem });
    } else if (!prediction) this.#blank += 1;
    else if (label === undefined) this.#unsure += 1;
    else this.#labelled += 1;
    for (const name of [label ?? []].flat()) this.#labels.set(name, (this.#labels.get(name) ?? 0) + 1);
  }

  taken(): FileTally {
    return {
      rows: this.rows,
      labelled: this.#labelled,
      unsure: this.#unsure,
      blank: this.#blank,
      problems: this.#problems,
      problemRows: this.#problemRows,
      formulas: this.#formulas,
      labels: new Map([...this.#labels].sort(([, a], [, b]) => b - a)),
    };
  }
}
