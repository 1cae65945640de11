/**
 * Enters: how frozen weights are to be kept. Leaves: the choice.
 */
import type { WeightStorage } from "webtune";
import { storageSegments } from "../storages";
import { Segments } from "./segments";

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
