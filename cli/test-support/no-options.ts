import type { plansOf } from '../check/plans.ts';

/** The options of a `check` that was given none. */
export const NO_OPTIONS: Parameters<typeof plansOf>[1] = {
  map: [],
  maxEntries: [],
  aim: [],
  off: [],
  only: [],
  asKernel: [],
  sweeps: true,
  shrinkTime: 1,
};
