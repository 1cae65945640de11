/**
 * Enters: nothing. Leaves: one worker for all calls that need no model and hold no state.
 */
import { WorkerLink } from "./link.js";

let shared: WorkerLink | undefined;

/** A crash ends one call, not the page's ability to make the next. */
export function sharedLink(): WorkerLink {
  if (!shared || shared.closed) shared = WorkerLink.spawn();
  return shared;
}
