/**
 * A stream of rows in, the same rows with a label and its confidence out: the engine is asked in batches, and no more of them are held than are
 * on their way.
 */
import { abortedError, messageOf, optionError, WebtuneError } from "./errors.js";
import type { Label, Prediction, TextInput, WhichModel } from "./types/engine.js";

/** A row of a stream: a text, or an object with one (of pairs both) and with whatever else belongs to the row. */
export type StreamRow =
  | string
  | { text: string | undefined; textPair?: string | undefined; problem?: string | undefined };

export interface ClassifyStreamOptions {
  /** `baseline` is the frozen model with the fitted head; default `tuned`. */
  which?: WhichModel | undefined;
  /** Between 0 and 1; default 0. A label of less confidence is left out; where texts may have several, each for itself. */
  threshold?: number | undefined;
  /** Rows that the engine is asked for at once. Default: as many as it labels in about four seconds. */
  batchRows?: number | undefined;
  /** An abort ends the stream at once: the loop throws, with code `aborted`. */
  signal?: AbortSignal | undefined;
}

/** A row and its answer. */
export interface Classified<Row> {
  row: Row;
  /** Undefined under the threshold, for a row without a text, and for one with a problem. A list where texts may have several labels. */
  label: Label | undefined;
  /** The probability of the likeliest label, also where that is under the threshold; a list, one for each label, where texts may have several. */
  confidence: number | number[] | undefined;
  /** The whole answer, where the engine was asked. */
  prediction: Prediction | undefined;
  /** Why the row could not be classified. */
  problem: string | undefined;
}

/** Rows of the first batch, and the least and the most of any. */
const FEWEST = 32;
const MOST = 1024;
/**
 * What a batch should take, in milliseconds. The engine puts texts of like length together, which pays the more of them it has; what is asked
 * for when a person presses Stop is lost, and keeps the engine for so long.
 */
const PACE = 4000;
/** Batches that the engine is asked for before the first of them is there, so that it never waits for rows. */
const AHEAD = 2;

/**
 * Labels the rows of a stream, in their order. Rows without a text are passed on without an answer, and so is a row that the engine refuses,
 * with the reason.
 *
 * @param predict As `TextClassifier.predict`. It is called again before it has answered, at most twice.
 * @throws WebtuneError `invalidOption`, `aborted`, what `rows` throws and what `predict` throws: `invalidData` if it is for the first text
 * of all.
 */
export async function* classifyRows<Row extends StreamRow>(
  predict: (texts: TextInput[]) => Promise<Prediction[]>,
  rows: AsyncIterable<Row> | Iterable<Row>,
  { threshold = 0, batchRows, signal }: Omit<ClassifyStreamOptions, "which"> = {},
): AsyncGenerator<Classified<Row>, void, undefined> {
  if (!(threshold >= 0 && threshold <= 1)) {
    throw optionError("threshold", `expected a number from 0 to 1, got ${threshold}`);
  }
  if (batchRows !== undefined && !(Number.isInteger(batchRows) && batchRows > 0)) {
    throw optionError("batchRows", `expected a whole number above 0, got ${batchRows}`);
  }
  const source =
    typeof rows === "object" && Symbol.asyncIterator in rows ? rows[Symbol.asyncIterator]() : rows[Symbol.iterator]();
  const abort = new Abort(signal);
  const asked: Promise<Classified<Row>[]>[] = [];
  const engine = new Engine(predict, threshold);
  let isOver = false;
  let size = batchRows ?? FEWEST;
  let last = performance.now();
  try {
    for (;;) {
      while (!isOver && asked.length < AHEAD) {
        const batch: Row[] = [];
        while (batch.length < size) {
          const next = await abort.orBefore(source.next());
          isOver = next.done === true;
          if (next.done) break;
          batch.push(next.value);
        }
        if (batch.length === 0) break;
        if (asked.length === 0) last = performance.now();
        const answer = engine.answer(batch);
        // If the loop ends before it is waited for, nobody hears of its failure.
        answer.catch(() => undefined);
        asked.push(answer);
      }
      const first = asked.shift();
      if (!first) return;
      const answers = await abort.orBefore(first);
      const now = performance.now();
      if (batchRows === undefined) size = paced(size, answers.length, now - last);
      last = now;
      yield* answers;
    }
  } finally {
    abort.forget();
    // A source that is waited for in vain would not end either.
    Promise.resolve(source.return?.()).catch(() => undefined);
  }
}

/** Rows that take about as long as a batch should. @internal */
export function paced(size: number, rows: number, ms: number): number {
  const wanted = (rows * PACE) / Math.max(ms, 1);
  // Twice as many at most, as the texts to come may be longer.
  const next = Math.min(wanted, 2 * size, MOST);
  return Math.max(FEWEST, FEWEST * Math.floor(next / FEWEST));
}

/** Asks for the texts of rows, and finds out which of them are refused. */
class Engine {
  readonly #predict: (texts: TextInput[]) => Promise<Prediction[]>;
  readonly #threshold: number;
  #isFirst = true;

  constructor(predict: (texts: TextInput[]) => Promise<Prediction[]>, threshold: number) {
    this.#predict = predict;
    this.#threshold = threshold;
  }

  async answer<Row extends StreamRow>(rows: readonly Row[]): Promise<Classified<Row>[]> {
    const answers = rows.map((row) => unanswered(row));
    let open = answers.filter(({ row, problem }) => problem === undefined && textOf(row) !== undefined);
    // What is wrong with the first text of all is more likely wrong with all of them, such as that the model wants pairs.
    const first = this.#isFirst ? open[0] : undefined;
    this.#isFirst &&= open.length === 0;
    while (open.length > 0) {
      try {
        const predictions = await this.#predict(open.map(({ row }) => textOf(row) as TextInput));
        for (const [index, one] of open.entries()) Object.assign(one, answered(predictions[index], this.#threshold));
        return answers;
      } catch (error) {
        const refused = refusedBy(error, open);
        if (!refused || refused === first) throw error;
        refused.problem = messageOf(error);
        open = open.filter((one) => one !== refused);
      }
    }
    return answers;
  }
}

/** The row that the engine cannot take, if that is what went wrong. */
function refusedBy<Row>(error: unknown, asked: readonly Classified<Row>[]): Classified<Row> | undefined {
  if (!(error instanceof WebtuneError) || error.code !== "invalidData" || error.row === undefined) return undefined;
  return asked[error.row - 1];
}

const unanswered = <Row extends StreamRow>(row: Row): Classified<Row> => ({
  row,
  label: undefined,
  confidence: undefined,
  prediction: undefined,
  problem: typeof row === "string" ? undefined : row.problem,
});

/** What is asked for; undefined where there is nothing to read. */
function textOf(row: StreamRow): TextInput | undefined {
  if (typeof row === "string") return row.trim() === "" ? undefined : row;
  const { text = "", textPair } = row;
  if (text.trim() === "" || textPair?.trim() === "") return undefined;
  return textPair === undefined ? text : { text, textPair };
}

function answered(prediction: Prediction | undefined, threshold: number): Partial<Classified<unknown>> {
  if (!prediction) throw new WebtuneError("internal", "the engine answered fewer texts than it was asked for");
  const { label, labels, probabilities } = prediction;
  if (typeof label === "string") {
    const confidence = Math.max(...probabilities);
    return { prediction, confidence, label: confidence >= threshold ? label : undefined };
  }
  const confidences = label.map((name) => probabilities[labels.indexOf(name)] ?? 0);
  const isSure = (_: unknown, index: number): boolean => (confidences[index] ?? 0) >= threshold;
  return { prediction, label: label.filter(isSure), confidence: confidences.filter(isSure) };
}

/** Lets a wait end with the signal; there is one wait at a time. `Promise.race` would hold on to every row until the end. */
class Abort {
  readonly #signal: AbortSignal | undefined;
  readonly #fire = (): void => this.#fail?.(abortedError("classifying"));
  #fail: ((error: WebtuneError) => void) | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
    signal?.addEventListener("abort", this.#fire);
  }

  orBefore<T>(work: T | PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      if (this.#signal?.aborted) this.#fire();
      Promise.resolve(work).then(resolve, reject);
    });
  }

  forget(): void {
    this.#signal?.removeEventListener("abort", this.#fire);
  }
}
