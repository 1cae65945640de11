/**
 * Enters: a run's options, and those of another to be held against. Leaves: every setting, the differing ones first.
 */
import type { ResolvedOptions } from "webtune";
import { fieldsOf } from "../../desk/read-options";
import { type OptionField, optionFields } from "../options";
import "./setting-list.css";

interface Props {
  options: ResolvedOptions;
  other?: ResolvedOptions | undefined;
}

const shown = (field: OptionField, value = ""): string =>
  field.choices?.find((choice) => choice.value === value)?.label ?? value;

export function SettingList({ options, other }: Props) {
  const mine = fieldsOf(optionFields, options);
  const theirs = other ? fieldsOf(optionFields, other) : mine;
  const rows = optionFields
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
