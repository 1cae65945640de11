/** Holds a desk's state: one immutable value at a time, and notices of changes to all who listen. */
import { useEffect, useState } from "preact/hooks";

/** Between two notices, in milliseconds: to draw each step of a fast run would block the page. */
const PAUSE = 40;

/** What was typed and chosen on a desk, by name. */
export type Drafts = Map<string, unknown>;

export class Store<S extends { announcement: string }> {
  state: S;
  readonly drafts: Drafts = new Map();
  readonly #listeners = new Set<() => void>();
  #noticed = 0;
  #waiting: ReturnType<typeof setTimeout> | undefined;

  constructor(initial: S) {
    this.state = initial;
  }

  patch<K extends Exclude<keyof S, "announcement">>(slice: K, change: Partial<S[K]>): void {
    this.#set({ ...this.state, [slice]: { ...this.state[slice], ...change } });
  }

  announce(announcement: string): void {
    this.#set({ ...this.state, announcement });
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #set(state: S): void {
    this.state = state;
    if (this.#waiting !== undefined) return;
    const wait = this.#noticed + PAUSE - performance.now();
    if (wait <= 0) this.#notify();
    else this.#waiting = setTimeout(() => this.#notify(), wait);
  }

  #notify(): void {
    this.#waiting = undefined;
    this.#noticed = performance.now();
    for (const listener of this.#listeners) listener();
  }
}

export function useStore<S extends { announcement: string }>(store: Store<S>): S {
  const [state, set] = useState(store.state);
  useEffect(() => {
    const take = () => set(store.state);
    take();
    return store.subscribe(take);
  }, [store]);
  return state;
}

/** State of a part that stays as it is while the other desk is in view. */
export function useDraft<T>(drafts: Drafts, name: string, initial: T): [T, (next: T) => void] {
  const [value, set] = useState<T>(() => (drafts.has(name) ? (drafts.get(name) as T) : initial));
  const keep = (next: T) => {
    drafts.set(name, next);
    set(next);
  };
  return [value, keep];
}
