/** How exported files name the model that an adapter belongs to: as the person typed it, or as it was loaded. */
import type { ModelState } from "./state";

/** The name that an export gets; undefined for the name that it has anyway. */
export const chosenBase = ({ baseName }: Pick<ModelState, "baseName">): string | undefined =>
  baseName?.trim() || undefined;
