/** The kinds of fields in the options drawer, and the fields that both tasks have, by the package's names. */
import { type DescribedCall, describeOptions, type OptionSpec } from "webtune";
import { count } from "../ui/format";

export interface OptionField {
  /** `learningRate`, or `method.r` for a field of an object. */
  path: string;
  label: string;
  help: string;
  unit?: string;
  /** `integers` and `names` separated by commas; `pairs` as `name = 8; other = 4`; `lines` as one text a line. */
  kind: "number" | "integers" | "names" | "pairs" | "lines" | "select";
  /** Of a select: all but the empty one. `true` and `false` mean themselves, `on` an object of further fields. */
  choices?: { value: string; label: string }[];
  /** Shown, and sent, only if that other field has one of these values. */
  when?: { path: string; values: string[] };
  /** What an empty field says; the drawer has words for the rest. */
  empty?: string;
}

export interface OptionGroup {
  title: string;
  fields: OptionField[];
}

type More = Partial<Pick<OptionField, "unit" | "empty">>;
type Choices = [value: string, label: string][];

const field = (kind: OptionField["kind"], path: string, label: string, help: string, more: More = {}): OptionField => ({
  path,
  label,
  help,
  kind,
  ...more,
});

export const number = (path: string, label: string, help: string, more?: More): OptionField =>
  field("number", path, label, help, more);

export const list = (
  kind: "integers" | "names" | "pairs" | "lines",
  path: string,
  label: string,
  help: string,
  empty: string,
): OptionField => field(kind, path, label, help, { empty });

export const select = (path: string, label: string, help: string, choices: Choices, more?: More): OptionField => ({
  ...field("select", path, label, help, more),
  choices: choices.map(([value, name]) => ({ value, label: name })),
});

const yesOrNo: Choices = [
  ["true", "Yes"],
  ["false", "No"],
];

export const flag = (path: string, label: string, help: string, more?: More): OptionField =>
  select(path, label, help, yesOrNo, more);

/** Fields that are shown only if the field `path` has one of these values. */
export const shownWhen = (path: string, values: string[], fields: OptionField[]): OptionField[] =>
  fields.map((one) => ({ ...one, when: { path, values } }));

/** What an empty field says of the value that the engine then takes; nothing if it has no fixed one. */
function defaultWords({ choices }: OptionField, { default: value }: OptionSpec): string | undefined {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return undefined;
  const word = String(typeof value === "object" && value && "type" in value ? value.type : value);
  const label = choices?.find((choice) => choice.value === word)?.label ?? word;
  return `${label} by default`;
}

/** Beyond it a limit is none that a person meets. */
const FAR = 1e9;

/** "From 0 to 1." */
function rangeWords({ min, minExcluded, max = FAR, maxExcluded }: OptionSpec): string {
  const low =
    min === undefined || (min === 0 && !minExcluded && max >= FAR) ? "" : `${minExcluded ? "above" : "from"} ${min}`;
  const high =
    max >= FAR
      ? ""
      : `${maxExcluded ? "below" : low.startsWith("from") ? "to" : "at most"} ${max < 1 ? max : count(max)}`;
  const words = [low, high].filter(Boolean).join(high.startsWith("to") ? " " : ", ");
  return words && ` ${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

/**
 * The fields with what the engine says of each: its range, and the value of one that is left empty.
 *
 * @throws Error for a field or a choice that the engine doesn't know.
 */
export function described(call: DescribedCall, groups: OptionGroup[]): OptionGroup[] {
  const specs = new Map(describeOptions(call).map((spec) => [spec.name, spec]));
  const describe = (one: OptionField): OptionField => {
    const spec = specs.get(one.path) ?? specs.get(one.path.replace(/\.type$/, ""));
    const unknown = spec?.values && one.choices?.find(({ value }) => !spec.values?.includes(value));
    if (!spec || unknown) throw new Error(`${call}: ${one.path} ${unknown?.value ?? ""} is not known to the engine`);
    const empty = one.empty ?? defaultWords(one, spec);
    return { ...one, help: one.help + rangeWords(spec), ...(empty && { empty }) };
  };
  return groups.map(({ title, fields }) => ({ title, fields: fields.map(describe) }));
}

export const fieldsOf = (groups: readonly OptionGroup[]): OptionField[] => groups.flatMap(({ fields }) => fields);

export const methodNames: Record<string, string> = {
  lora: "LoRA",
  full: "Full fine-tuning",
  probe: "Head only",
  houlsby: "Houlsby adapters",
  prefix: "Prefix tuning",
};

export const methodField = (help: string, methods: string[]): OptionField =>
  select(
    "method.type",
    "Method",
    help,
    methods.map((method) => [method, methodNames[method] ?? method]),
  );

export const loraFields: OptionField[] = [
  number("method.r", "Rank r", "Width of the adapter. A larger rank can learn more and takes more memory."),
  number("method.loraAlpha", "Alpha", "The adapter is scaled by alpha / r."),
  number("method.loraDropout", "LoRA dropout", "Chance that an input of the adapter is dropped in training."),
  flag("method.useRslora", "Rank-stabilised", "Scale by alpha / √r instead."),
  flag("method.useDora", "DoRA", "Train the magnitude of each output separately."),
];

export const targetModules = (empty: string): OptionField =>
  list(
    "names",
    "method.targetModules",
    "Target modules",
    "Names separated by commas, all-linear, or one regular expression between slashes.",
    empty,
  );

export const excludeModules: OptionField = list(
  "names",
  "method.excludeModules",
  "Excluded modules",
  "Left out of the target modules, by the same rules.",
  "none",
);

export const prefixFields: OptionField[] = [
  number("method.numVirtualTokens", "Virtual tokens", "Learned keys and values before each layer's own.", {
    unit: "a layer",
  }),
];

export const shared = {
  numTrainEpochs: number("numTrainEpochs", "Epochs", "Passes over the training rows."),
  learningRate: number("learningRate", "Learning rate", "Peak rate of the weights that train.", { unit: "per step" }),
  lrSchedulerType: select("lrSchedulerType", "Learning rate schedule", "How the rate changes over the run.", [
    ["linear", "Linear"],
    ["cosine", "Cosine"],
    ["constant", "Constant"],
    ["slantedTriangular", "Slanted triangular"],
  ]),
  warmupRatio: number("warmupRatio", "Warm-up", "Share of the steps in which the rate rises from 0."),
  trainBatchSize: number("trainBatchSize", "Batch size", "Rows per forward pass. Fewer rows need less memory.", {
    unit: "rows",
  }),
  gradientAccumulationSteps: number("gradientAccumulationSteps", "Accumulation", "Forward passes per update.", {
    unit: "passes",
  }),
  gradientCheckpointing: flag(
    "gradientCheckpointing",
    "Gradient checkpointing",
    "Compute each layer twice instead of storing its activations.",
    { empty: "if memory requires it" },
  ),
  maxLength: (help: string) => number("maxLength", "Longest text", help, { unit: "tokens" }),
  validationSplit: number("validationSplit", "Validation share", "Share of the rows used for validation only."),
  earlyStoppingPatience: (unit: string) =>
    number("earlyStoppingPatience", "Patience", `Stop after this many ${unit} without improvement; 0 for never.`, {
      unit,
    }),
  weightDecay: number("weightDecay", "Weight decay", "Pulls the weights towards 0."),
  maxGradNorm: number("maxGradNorm", "Gradient limit", "Largest norm of a gradient; 0 for no limit."),
  seed: number("seed", "Seed", "The same seed and rows give the same run."),
  adam: [
    number("adamBeta1", "Adam beta 1", "Decay of the running mean of the gradients."),
    number("adamBeta2", "Adam beta 2", "Decay of the running mean of their squares."),
    number("adamEpsilon", "Adam epsilon", "Added to the denominator for stability."),
  ],
};
