/** The end of a loop that a kernel ends (`may_goto`). */
import type { KernelBehaviour } from './kernel-versions.ts';
import { Unsupported } from './machine.ts';

/** Why a program stops whose loop has had all its rounds. */
export const ENDS_BY_CLOCK =
  'may_goto: the kernel ends this loop by its clock, after a quarter of a second: after how many rounds is no number that could be compared';

/**
 * All rounds are used up. Older kernels end the loop there.
 * @throws {Unsupported} where the kernel goes on until its clock says so
 */
export function requireRounds({ mayGotoLooksAtClock }: KernelBehaviour): void {
  if (mayGotoLooksAtClock) throw new Unsupported(ENDS_BY_CLOCK);
}
