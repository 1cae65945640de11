/** The models that this browser keeps: one list for both desks. */
import { useEffect, useState } from "preact/hooks";
import { type KeptModel, keptModels, removeKeptModel } from "webtune";
import { messageOf } from "../ui/format";

interface Shelf {
  models: readonly KeptModel[];
  error?: string | undefined;
}

let shelf: Shelf = { models: [] };
const listeners = new Set<(shelf: Shelf) => void>();

function show(next: Shelf): void {
  shelf = next;
  for (const listener of listeners) listener(shelf);
}

/** After whatever may have changed it. */
export async function lookAtShelf(): Promise<void> {
  try {
    show({ models: await keptModels() });
  } catch (error) {
    show({ ...shelf, error: messageOf(error) });
  }
}

/** Gives whether it is gone. */
export async function takeFromShelf(id: string): Promise<boolean> {
  try {
    await removeKeptModel(id);
  } catch (error) {
    show({ ...shelf, error: messageOf(error) });
    return false;
  }
  await lookAtShelf();
  return true;
}

export function useShelf(): Shelf {
  const [seen, see] = useState(shelf);
  useEffect(() => {
    listeners.add(see);
    void lookAtShelf();
    return () => {
      listeners.delete(see);
    };
  }, []);
  return seen;
}
