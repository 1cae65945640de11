/** The settings of a run, those that differ from another run first. */
import type { ResolvedClassifyOptions } from "webtune";
import type { OptionField } from "../../desk/options";
import { typedOptions } from "../../desk/read-options";
import { sortFields } from "../options";
import "./setting-list.css";

interface Props {
  options: ResolvedClassifyOptions;
  other?: ResolvedClassifyOptions | undefined;
}

const shown = (field: OptionField, value = ""): string =>
  field.choices?.find((choice) => choice.value === value)?.label ?? value;

export function SettingList({ options, other }: Props) {
  const mine = typedOptions(sortFields, options);
  const theirs = other ? typedOptions(sortFields, other) : mine;
  const rows = sortFields
    .filter(({ path }) => mine[path] || theirs[path])
    .map((field) => ({ field, differs: mine[field.path] !== theirs[field.path] }))
    .sort((a, b) => Number(b.differs) - Number(a.differs));
  return (
    <dl class="settings figures">
      {rows.map(({ field, differs }) => (
        <div key={field.path} class={differs ? "setting-differs" : ""}>
          <dt>{field.label}</dt>
          <dd>
            {shown(field, mine[field.path]) || "none"}
            {differs ? <span class="sub">reference: {shown(field, theirs[field.path]) || "none"}</span> : null}
          </dd>
        </div>
      ))}
    </dl>
  );
}
