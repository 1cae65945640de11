/**
 * Enters: changes from the actions. Leaves: one immutable state at a time, and word of each to those who listen.
 */
import { useEffect, useState } from "preact/hooks";

/** What was typed and chosen on a desk, by name. */
export type Kept = Map<string, unknown>;

/** `announcement` is for the live region: the last thing worth hearing. */
export class Store<S extends { announcement: string }> {
  state: S;
  readonly kept: Kept = new Map();
  readonly #listeners = new Set<(state: S) => void>();

  constructor(initial: S) {
    this.state = initial;
  }

  patch<K extends Exclude<keyof S, "announcement">>(slice: K, change: Partial<S[K]>): void {
    this.#set({ ...this.state, [slice]: { ...this.state[slice], ...change } });
  }

  announce(announcement: string): void {
    this.#set({ ...this.state, announcement });
  }

  subscribe(listener: (state: S) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #set(state: S): void {
    this.state = state;
    for (const listener of this.#listeners) listener(state);
  }
}

export function useStore<S extends { announcement: string }>(store: Store<S>): S {
  const [state, set] = useState(store.state);
  useEffect(() => {
    set(store.state);
    return store.subscribe(set);
  }, [store]);
  return state;
}

/** State of a part that stays as it is while another desk is in view. */
export function useKept<T>(kept: Kept, name: string, initial: T): [T, (next: T) => void] {
  const [value, set] = useState<T>(() => (kept.has(name) ? (kept.get(name) as T) : initial));
  const keep = (next: T) => {
    kept.set(name, next);
    set(next);
  };
  return [value, keep];
}
