/**
 * Enters: how frozen weights are to be kept. Leaves: the choice.
 */
import type { WeightStorage } from "webtune";
import { Segments } from "../../ui/segments";
import { storageSegments } from "../weight-storages";

interface Props {
  storage: WeightStorage;
  disabled: boolean;
  onChange: (storage: WeightStorage) => void;
}

export const StorageChoice = ({ storage, disabled, onChange }: Props) => (
  <Segments
    legend="Frozen weights"
    name="storage"
    choices={storageSegments}
    value={storage}
    disabled={disabled}
    onChange={onChange}
  />
);
