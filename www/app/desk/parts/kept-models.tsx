/** The models that are kept on this computer, with their size and date: one press loads one, another removes it. */
import type { KeptModel } from "webtune";
import { Alert } from "../../ui/alert";
import { useConfirm } from "../../ui/confirm";
import { bytes } from "../../ui/format";
import { takeFromShelf, useShelf } from "../kept-shelf";
import "./kept-models.css";

const thisYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const earlier = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

interface Props {
  disabled: boolean;
  onLoad: (model: KeptModel) => void;
  onRemoved: (words: string) => void;
}

export function KeptModels({ disabled, onLoad, onRemoved }: Props) {
  const { models, error } = useShelf();
  const { ask, dialog } = useConfirm();
  const remove = ({ id, name, bytes: size }: KeptModel) =>
    ask({
      title: "Remove this model?",
      text: `${name} (${bytes(size)}) will be removed from this computer. A model that is loaded stays loaded; to load it again it must be downloaded.`,
      yes: "Remove it",
      act: () => {
        void takeFromShelf(id).then((isGone) => {
          // The pressed button goes, and the keyboard's place moves to the step.
          if (!isGone) return;
          onRemoved(`${name} was removed from this computer.`);
          document.getElementById("model")?.focus({ preventScroll: true });
        });
      },
    });
  const total = models.reduce((sum, model) => sum + model.bytes, 0);
  return (
    <div class={models.length > 0 || error ? "stack kept" : "alert-empty"} data-testid="kept-models">
      {dialog}
      {models.length > 0 ? (
        <>
          <h3 id="kept-title">
            Kept on this computer{models.length > 1 ? <span class="muted">: {bytes(total)}</span> : null}
          </h3>
          <ul aria-labelledby="kept-title">
            {models.map((model) => (
              <li key={model.id} data-testid="kept-model">
                <div class="kept-name">
                  <span data-testid="kept-name">{model.name}</span>
                  <span class="sub figures" data-testid="kept-facts">
                    {factsOf(model)}
                  </span>
                </div>
                <div class="row tight">
                  <button
                    type="button"
                    data-testid="kept-load"
                    disabled={disabled}
                    aria-label={`${model.complete ? "Load" : "Go on loading"} ${model.name}`}
                    onClick={() => onLoad(model)}
                  >
                    {model.complete ? "Load" : "Go on"}
                  </button>
                  <button
                    type="button"
                    class="quiet"
                    data-testid="kept-remove"
                    disabled={disabled}
                    aria-label={`Remove ${model.name}`}
                    onClick={() => remove(model)}
                  >
                    Remove
                  </button>
                </div>
              </li>
            ))}
          </ul>
        </>
      ) : null}
      <Alert message={error} testId="kept-error" />
    </div>
  );
}

function factsOf({ bytes: size, keptAt, complete, source }: KeptModel): string {
  const format = keptAt.getFullYear() === new Date().getFullYear() ? thisYear : earlier;
  const facts = [bytes(size), format.format(keptAt), `from ${hostOf(source)}`];
  return complete ? facts.join(", ") : `${facts.join(", ")}; its download was cut off, and can go on`;
}

function hostOf(source: KeptModel["source"]): string {
  if ("repository" in source) {
    const { file, revision, hubUrl } = source;
    const where = [hubUrl ? new URL(hubUrl).host : "Hugging Face", file, revision && `revision ${revision}`];
    return where.filter(Boolean).join(", ");
  }
  const { host } = new URL(source.url);
  return host === location.host ? "this page's server" : host;
}
