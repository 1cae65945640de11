/** Loads language models, and estimates from a model's config.json alone what a run would need. */
import { type ModelSource, readModelConfig } from "webtune";
import { ModelActions } from "../../desk/actions/model";
import { bytes, messageOf } from "../../ui/format";
import { budgetOf } from "../budget";
import type { WriteStore, WriteTypes } from "../state";
import { writeTask } from "../task";

export class WriteModelActions extends ModelActions<WriteTypes> {
  #asked = 0;

  constructor(private readonly write: WriteStore) {
    super(write, writeTask);
  }

  /** Reads the config.json and shows what a run would need. */
  async plan(source: ModelSource): Promise<void> {
    const { write } = this;
    if (write.state.budget.config?.source === source) return this.estimate();
    const turn = ++this.#asked;
    write.patch("budget", { reading: true, error: undefined });
    try {
      const config = await readModelConfig(source);
      if (turn !== this.#asked) return;
      write.patch("budget", { config: { source, name: nameOf(source), bytes: config } });
    } catch (error) {
      if (turn !== this.#asked) return;
      write.patch("budget", { reading: false, config: undefined, found: undefined, error: messageOf(error) });
      return;
    }
    await this.estimate();
  }

  /** With the current settings; the latest request counts. */
  async estimate(): Promise<void> {
    const { write } = this;
    const { budget, model, run } = write.state;
    if (!budget.config) return;
    const turn = ++this.#asked;
    write.patch("budget", { reading: true });
    try {
      const found = await budgetOf(budget.config.bytes, model.storage, model.device, run.options);
      if (turn !== this.#asked) return;
      const fits = found.total <= found.limit ? "It fits." : "It does not fit.";
      if (!write.state.budget.found) write.announce(`A run needs up to ${bytes(found.total)}. ${fits}`);
      write.patch("budget", { reading: false, found, error: undefined });
    } catch (error) {
      if (turn === this.#asked) write.patch("budget", { reading: false, found: undefined, error: messageOf(error) });
    }
  }

  /** Another source is chosen: the budget was that of the old one. */
  forgetPlan(): void {
    this.#asked += 1;
    this.write.patch("budget", { reading: false, config: undefined, found: undefined, error: undefined });
  }

  protected override onLoaded(source: ModelSource): void {
    this.write.patch("trying", { base: undefined, tuned: undefined, error: undefined });
    void this.plan(source);
  }
}

function nameOf(source: ModelSource): string {
  if ("repository" in source) return source.repository;
  if ("url" in source) return source.name ?? source.url;
  return source.name ?? "the chosen files";
}
