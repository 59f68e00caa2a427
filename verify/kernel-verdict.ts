/**
 * What the kernel makes of a packet on which the machine stopped the program. The kernel is the authority: what its
 * verifier has accepted does nothing forbidden, so a machine that stops it is wrong.
 */
import type { Outcome } from './outcome.ts';

export type KernelVerdict =
  /** It ran the program on this packet to its end. */
  | { readonly did: 'ran'; readonly outcome: Outcome }
  /** Its verifier accepts the program, but this packet did not run. */
  | { readonly did: 'accepted'; readonly why: string }
  /** Its verifier, or what loads objects into it, refuses the program. */
  | { readonly did: 'refused'; readonly message: string; readonly log?: string }
  | { readonly did: 'not asked'; readonly why: string };

/** Has the kernel accepted the program, so that the machine is wrong to stop it? */
export function isAccepted({ did }: KernelVerdict): boolean {
  return did === 'ran' || did === 'accepted';
}
