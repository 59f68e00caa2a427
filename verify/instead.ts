/** What a program does with one packet, beside what it does with another, in a clause. */
import { actionName, type Hook } from '../sim/runtime/actions.ts';
import type { Outcome } from './outcome.ts';

/** "returns XDP_DROP instead of XDP_PASS", "redirects to 3 instead of 2". */
export function insteadOf(
  hook: Hook,
  now: Pick<Outcome, 'action' | 'redirect'>,
  usual: Pick<Outcome, 'action' | 'redirect'>,
): string {
  if (now.action !== usual.action)
    return `returns ${actionName(hook, now.action)} instead of ${actionName(hook, usual.action)}`;
  if (now.redirect !== usual.redirect) return `redirects to ${now.redirect} instead of ${usual.redirect}`;
  return 'treats the packet otherwise';
}
