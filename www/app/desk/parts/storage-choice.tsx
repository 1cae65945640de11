/** The choice of how the frozen weights are stored. */
import { Segments } from "../../ui/segments";
import { type DeskState, isBusy } from "../state";
import type { Store } from "../store";
import type { TaskTypes } from "../task";
import { storageSegments } from "../weight-storages";

interface Props<T extends TaskTypes> {
  state: DeskState<T>;
  store: Store<DeskState<T>>;
}

export const StorageChoice = <T extends TaskTypes>({ state: { model, run }, store }: Props<T>) => (
  <Segments
    legend="Frozen weights"
    name="storage"
    choices={storageSegments}
    value={model.storage}
    disabled={isBusy(run) || model.status === "loading"}
    onChange={(storage) => store.patch("model", { storage })}
  />
);
