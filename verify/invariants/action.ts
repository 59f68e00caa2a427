/** The returned action is one that the kernel knows. */
import {
  actionName,
  TC_ACT_TRAP,
  TC_ACT_UNSPEC,
  XDP_ABORTED,
  XDP_REDIRECT,
} from '../../sim/runtime/actions.ts';
import type { Breach, OutcomeInvariant, Passage } from './invariant.ts';
import { type Rule, rule } from './rule.ts';

export const ACTION_RULES: readonly Rule[] = [
  rule(
    'action/unknown',
    'error',
    'An action that the kernel does not know',
    'XDP drops the frame and counts an exception (`bpf_warn_invalid_xdp_action`); TC goes on as if nothing had been said. Usual causes: an action of the other hook, a map value or an error number returned as it is.',
  ),
  rule(
    'action/aborted',
    'info',
    'The program returns XDP_ABORTED',
    'XDP_ABORTED drops the frame and fires the tracepoint `xdp:xdp_exception`. Many programs return it on purpose where they cannot go on; it is listed so that nobody is surprised.',
  ),
  rule(
    'action/malformed-only',
    'warning',
    'Only malformed packets are changed or sent on',
    'No packet that the program changed, answered or redirected has the IP version that its EtherType says: it looks for the wrong number, and does nothing with the packets that it was written for.',
  ),
  rule(
    'action/xdp-numbers',
    'warning',
    'A TC program that returns the numbers of XDP',
    'Packets came to TC_ACT_RECLASSIFY, and none to TC_ACT_OK, TC_ACT_UNSPEC or TC_ACT_REDIRECT. TC_ACT_RECLASSIFY is 1, as XDP_DROP is, and TC_ACT_SHOT is 2, as XDP_PASS is: the kernel drops what should pass, and lets pass what should be dropped, since to a classifier with direct action TC_ACT_RECLASSIFY is as if nothing had been said (`cls_bpf_exec_opcode`).',
  ),
];

const PLACE = { at: 0, size: 0 } as const;

export const action: OutcomeInvariant = {
  name: 'action',
  judge({ hook, action: returned }: Readonly<Passage>): Breach | undefined {
    if (hook === 'xdp' && returned === XDP_ABORTED) {
      return {
        ...PLACE,
        invariant: 'action/aborted',
        severity: 'info',
        expected: 'another action',
        got: 'XDP_ABORTED',
        sentence: 'the program returned XDP_ABORTED',
        summary: 'the program returned XDP_ABORTED',
      };
    }
    const [least, most] = hook === 'xdp' ? [XDP_ABORTED, XDP_REDIRECT] : [TC_ACT_UNSPEC, TC_ACT_TRAP];
    if (returned >= least && returned <= most) return undefined;
    const got = actionName(hook, returned);
    return {
      ...PLACE,
      invariant: 'action/unknown',
      severity: 'error',
      expected: hook === 'xdp' ? 'an action from 0 to 4' : 'an action from -1 to 8',
      got,
      sentence: `the program returned ${got}, which is no action of ${hook === 'xdp' ? 'XDP' : 'TC'}`,
      summary: 'the program returned a number that is no action',
    };
  },
};
