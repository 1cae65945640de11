/** A language model's run: its events as state. */
import type { LanguageEvent } from "webtune";
import type { ModelActions } from "../../desk/actions/model";
import { RunActions } from "../../desk/actions/run";
import { figure } from "../../ui/format";
import type { EventOf, WriteStore, WriteTypes } from "../state";
import { writeTask } from "../task";

/** Steps that the speed is measured on. */
const RECENT = 10;

export class WriteRunActions extends RunActions<WriteTypes> {
  #steps: EventOf<"step">[] = [];

  constructor(store: WriteStore, model: ModelActions<WriteTypes>) {
    super(store, model, writeTask);
  }

  /** What method `full` tuned is the whole model. */
  protected override hasAdapter({ options }: EventOf<"finished">): boolean {
    return options.method.type !== "full";
  }

  protected override take(event: LanguageEvent): void {
    switch (event.type) {
      case "started":
        this.#steps = [];
        this.takeStarted(event);
        break;
      case "progress":
        this.takePrepared(event);
        break;
      case "baselines": {
        const { base, fewShot, completions } = event;
        this.takeFindings({ base, fewShot });
        if (!base) break;
        this.takeEvaluation({ step: 0, epoch: 0, likelihood: base, best: true, completions });
        this.store.announce(`Before tuning, perplexity is ${figure(base.perplexity)} on the validation texts.`);
        break;
      }
      case "recipe":
        this.takeFindings({ recipe: event });
        break;
      case "step":
        this.#steps = [...this.#steps, event].slice(-RECENT);
        this.takeFindings({ tokensPerSecond: speedOf(this.#steps) });
        this.takeStep(event);
        break;
      case "evaluation": {
        const { step, epoch, validation, best, completions } = event;
        this.takeEvaluation({ step, epoch, likelihood: validation, best, completions });
        this.store.announce(`Epoch ${epoch}: perplexity is ${figure(validation.perplexity)}.`);
        break;
      }
      case "finished":
        this.takeFinished(event);
        break;
    }
  }
}

function speedOf(steps: EventOf<"step">[]): number {
  const sum = (key: "tokens" | "ms") => steps.reduce((total, step) => total + step[key], 0);
  return (1000 * sum("tokens")) / sum("ms");
}
