/** A redirect has a target: without one the kernel drops the frame. */
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import type { Breach, OutcomeInvariant, Passage } from './invariant.ts';
import { type Rule, rule } from './rule.ts';

export const REDIRECT_RULES: readonly Rule[] = [
  rule(
    'redirect/no-target',
    'error',
    'A redirect without a target',
    'XDP_REDIRECT (or TC_ACT_REDIRECT) only says that a helper has stored a target. Returned without a call of `bpf_redirect` or `bpf_redirect_map` that succeeded, the frame is dropped, and XDP counts an exception. So it is with interface index 0, which no device has: `bpf_redirect` takes it, and the kernel drops the frame when it looks for the device (`xdp_do_redirect`, `skb_do_redirect`). A note where that 0 is none of the program’s constants, and no world says what maps and variables hold.',
  ),
  rule(
    'redirect/unused',
    'warning',
    'A redirect whose result is thrown away',
    'A helper stored a target and returned XDP_REDIRECT (or TC_ACT_REDIRECT), and the program returned something else: the kernel looks at the target where that action is returned, and nowhere else, so that the packet is not redirected. Return what the helper returned. Reported where several packets show it, and none for which the program goes there.',
  ),
  rule(
    'redirect/refused',
    'error',
    'A redirect that its helper refuses',
    'The helper knows no such flags and returned XDP_ABORTED (or TC_ACT_SHOT): in XDP, `bpf_redirect` takes none at all, and `bpf_redirect_map` an action for a miss and, with maps of devices only, the flags for broadcasts (`dev_map_redirect`): with a CPUMAP or an XSKMAP these are refused as well.',
  ),
  rule(
    'redirect/absent-device',
    'error',
    'A redirect to a device that does not exist',
    'The interface index that was given to the redirect is none of the devices of the world. Judged only where a world names its devices.',
  ),
  rule(
    'redirect/empty-slot',
    'error',
    'A redirect to an empty slot of a map',
    'The map has entries, but not under the key that the program used: `bpf_redirect_map` then returns the lower bits of its flags, which is XDP_ABORTED where they are 0. Whoever expects empty slots says in the flags what to do about them. Judged only where a world fills all maps of targets: elsewhere nobody has said what is in them.',
  ),
];

/**
 * Judges programs that cannot have stored any target. Of the others the interpreter has to say what their helpers did
 * (`verify/check/redirects.ts`).
 * @param calls whether the object calls a helper that stores a target
 */
export function redirectTarget(calls: boolean): OutcomeInvariant {
  return {
    name: 'redirect',
    judge({ hook, delivery }: Readonly<Passage>): Breach | undefined {
      if (calls || delivery !== DELIVERY.redirected) return undefined;
      const name = hook === 'xdp' ? 'XDP_REDIRECT' : 'TC_ACT_REDIRECT';
      return {
        at: 0,
        size: 0,
        invariant: 'redirect/no-target',
        severity: 'error',
        expected: 'a target stored by a helper',
        got: 'none',
        sentence: `the program returned ${name}, and no helper had stored a target`,
        summary: `${name} without a target`,
      };
    },
  };
}
