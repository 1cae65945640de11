/**
 * Enters: what was drawn so far and one event. Leaves: the curves with it.
 */
import type { Curves, EventOf } from "./state";

/** Rates of layers are kept this often over a run, and where something freezes or thaws. */
const RATE_SAMPLES = 100;

export function takeStep(curves: Curves, event: EventOf<"step">): Curves {
  const { step, epoch, stage, totalSteps, loss, learningRate, headLearningRate, groups } = event;
  return {
    ...curves,
    step,
    epoch,
    stage,
    totalSteps,
    losses: [...curves.losses, loss],
    rates: [...curves.rates, learningRate],
    headRates: [...curves.headRates, headLearningRate],
    groups: isWorthKeeping(curves, event) ? [...curves.groups, { step, groups }] : curves.groups,
  };
}

function isWorthKeeping({ groups: kept }: Curves, { step, totalSteps, groups }: EventOf<"step">): boolean {
  const before = kept.at(-1)?.groups;
  const moved = groups.some(({ frozen }, index) => frozen !== before?.[index]?.frozen);
  return moved || step === totalSteps || step % Math.ceil(totalSteps / RATE_SAMPLES) === 0;
}

export function takeEvaluation(curves: Curves, event: EventOf<"evaluation">): Curves {
  const { step, epoch, stage, best } = event;
  const { accuracy, macroF1 } = event.validation;
  const earlier = curves.judged.map((point) => (best ? { ...point, best: false } : point));
  return { ...curves, judged: [...earlier, { step, epoch, stage, accuracy, macroF1, best }] };
}
