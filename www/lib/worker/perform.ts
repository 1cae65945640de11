/**
 * A loaded model, and the calls of it that several engines can make together.
 */
import { WebtuneError } from "../errors.js";
import type { BaseName } from "../sources/base-name.js";
import type { EngineClassifier, EngineDevice, EngineLanguageModel, EngineModel } from "./engine.js";
import type { Answer, Arguments, CallEvent, RunRequest, TaskName, Tasks } from "./messages.js";

export type MadeModel =
  | { task: "classify"; model: EngineClassifier }
  | { task: "language"; model: EngineLanguageModel };

export type LoadedModel = MadeModel & {
  device: EngineDevice;
  base: BaseName;
  /** What the engine calls the base model now. */
  called: string;
};

/** Calls that compute, with the work of which each engine takes its part. */
interface Shared extends Pick<Calls, Computed> {
  /** Begins a run, or goes on with one. */
  begin(run: RunRequest): undefined;
  /** Works until there is an event; first ends the run early, if it is to `stop`. */
  next(stop: boolean): CallEvent | undefined;
}
type Computed = "predict" | "evaluateClassifier" | "score" | "import" | "evaluateLanguage" | "classify";
type Calls = { [Name in Computed]: (...args: Arguments<Name>) => Answer<Name> };

export type SharedName = keyof Shared;
export type SharedArguments<Name extends SharedName> = Parameters<Shared[Name]>;
export type SharedAnswer<Name extends SharedName> = ReturnType<Shared[Name]>;
/** As it is sent to the others. */
export type SharedCall = { [Name in SharedName]: { name: Name; args: SharedArguments<Name> } }[SharedName];

export function classifierOf(loaded: LoadedModel): EngineClassifier {
  if (loaded.task !== "classify")
    throw new WebtuneError("invalidState", "a language model is loaded, not a classifier");
  return loaded.model;
}

export function languageOf(loaded: LoadedModel): EngineLanguageModel {
  if (loaded.task !== "language")
    throw new WebtuneError("invalidState", "a classifier is loaded, not a language model");
  return loaded.model;
}

/** Makes a call of this engine alone. */
export async function perform<Name extends SharedName>(
  loaded: LoadedModel,
  name: Name,
  args: SharedArguments<Name>,
): Promise<SharedAnswer<Name>> {
  const calls: { [Each in SharedName]: (...given: SharedArguments<Each>) => unknown } = {
    // The two sides of a call agree on the task: each class of the package makes calls of its own.
    begin: (run) =>
      loaded.task === "classify"
        ? begin(loaded.model, run as RunRequest & { rows: Tasks["classify"]["row"][] })
        : begin(loaded.model, run as RunRequest & { rows: Tasks["language"]["row"][] }),
    next: (stop) => {
      if (stop) loaded.model.stop();
      return loaded.model.nextEvent();
    },
    predict: (...given) => classifierOf(loaded).predict(...given),
    evaluateClassifier: (...given) => classifierOf(loaded).evaluate(...given),
    score: (...given) => classifierOf(loaded).score(...given),
    import: (files) => loaded.model.importFiles(files),
    evaluateLanguage: (...given) => languageOf(loaded).evaluate(...given),
    classify: (...given) => languageOf(loaded).classify(...given),
  };
  // The name ties arguments and answer together; the compiler can't follow that through a look-up.
  const call = calls[name] as (...given: SharedArguments<Name>) => unknown;
  return (await call(...args)) as SharedAnswer<Name>;
}

function begin<Task extends TaskName>(
  model: EngineModel<Task>,
  { file, rows, options, from }: RunRequest & { rows: Tasks[Task]["row"][] },
): void {
  if (from) model.resume(file, rows, from, options);
  else model.start(file, rows, options);
}
