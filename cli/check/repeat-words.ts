/** The options without which `check` would not find the same again. */
import { worldWords } from '../input/world-options.ts';
import type { CheckPlan } from './plans.ts';

/** @returns words of a command line, but for what the command that repeats a finding has anyway: programs, kernel, seed and runs */
export function repeatWords(
  plan: CheckPlan,
  { report, config }: { readonly report: string | undefined; readonly config: string | false | undefined },
): string[] {
  return [
    ...worldWords(plan.surroundings),
    ...plan.off.flatMap((name) => ['--off', name]),
    ...plan.only.flatMap((name) => ['--only', name]),
    ...(plan.sweeps ? [] : ['--no-sweeps']),
    // How much time there is decides what is looked for, and how many packets there are.
    ...(plan.seconds === undefined ? [] : ['--time', `${plan.seconds}s`]),
    ...(plan.thresholds.strict === true ? ['--strict'] : []),
    ...(report === undefined ? [] : ['--report', report]),
    ...(typeof config === 'string' ? ['--config', config] : config === false ? ['--no-config'] : []),
  ];
}
