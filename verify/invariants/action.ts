/** The returned action is one that the kernel knows. */
import {
  actionName,
  TC_ACT_TRAP,
  TC_ACT_UNSPEC,
  XDP_ABORTED,
  XDP_REDIRECT,
  XDP_TX,
} from '../../sim/runtime/actions.ts';
import type { ProgramEntry } from '../../sim/runtime/program.ts';
import type { Breach, OutcomeInvariant } from './invariant.ts';
import { type Rule, rule } from './rule.ts';

export const ACTION_RULES: readonly Rule[] = [
  rule(
    'action/unknown',
    'error',
    'An action that the kernel does not know',
    'XDP drops the frame and counts an exception (`bpf_warn_invalid_xdp_action`); TC goes on as if nothing had been said. Behind a redirect fewer are known: a program of a device map cannot send frames elsewhere (XDP_TX, XDP_REDIRECT), one of a CPU map cannot send them back (XDP_TX). Usual causes: an action of the other hook, a map value or an error number returned as it is.',
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
    'Packets came to TC_ACT_RECLASSIFY, and none to TC_ACT_OK, TC_ACT_UNSPEC or TC_ACT_REDIRECT. TC_ACT_RECLASSIFY is 1, as XDP_DROP is, and TC_ACT_SHOT is 2, as XDP_PASS is: the kernel drops what should pass, and lets pass what should be dropped, since to a classifier with direct action TC_ACT_RECLASSIFY is as if nothing had been said (`cls_bpf_exec_opcode`). The same number beside TC_ACT_SHOT and what lets packets go on is one that was overlooked: what it should drop goes on.',
  ),
];

const PLACE = { at: 0, size: 0 } as const;

type Behind = NonNullable<ProgramEntry['behindRedirect']>;

/** What runs on redirected frames may do less with them (`dev_map_bpf_prog_run`, `cpu_map_bpf_prog_run_xdp`): anything else drops the frame. */
const BEHIND_REDIRECT: Readonly<
  Record<Behind, { readonly refused: readonly number[]; readonly may: string }>
> = {
  devmap: { refused: [XDP_TX, XDP_REDIRECT], may: 'XDP_PASS, XDP_DROP or XDP_ABORTED' },
  cpumap: { refused: [XDP_TX], may: 'XDP_PASS, XDP_REDIRECT, XDP_DROP or XDP_ABORTED' },
};

/** Does the kernel drop the frame for an action that it knows in front of a redirect only? */
export function isRefusedBehind(behind: Behind | undefined, returned: number): boolean {
  return behind !== undefined && BEHIND_REDIRECT[behind].refused.includes(returned);
}

/** @param behind the kind of map that the program stands in, where only a redirect runs it */
export function actionInvariant(behind?: Behind): OutcomeInvariant {
  return {
    name: 'action',
    judge({ hook, action: returned }) {
      if (hook === 'xdp' && returned === XDP_ABORTED) return ABORTED;
      const got = actionName(hook, returned);
      if (behind !== undefined && isRefusedBehind(behind, returned))
        return unknown(
          BEHIND_REDIRECT[behind].may,
          got,
          `the program returned ${got}, which the kernel does not know behind a redirect (${behind})`,
        );
      const [least, most] = hook === 'xdp' ? [XDP_ABORTED, XDP_REDIRECT] : [TC_ACT_UNSPEC, TC_ACT_TRAP];
      if (returned >= least && returned <= most) return undefined;
      const expected = hook === 'xdp' ? 'an action from 0 to 4' : 'an action from -1 to 8';
      const of = hook === 'xdp' ? 'XDP' : 'TC';
      return unknown(expected, got, `the program returned ${got}, which is no action of ${of}`);
    },
  };
}

const ABORTED: Breach = {
  ...PLACE,
  invariant: 'action/aborted',
  severity: 'info',
  expected: 'another action',
  got: 'XDP_ABORTED',
  sentence: 'the program returned XDP_ABORTED',
  summary: 'the program returned XDP_ABORTED',
};

function unknown(expected: string, got: string, sentence: string): Breach {
  const summary = 'the program returned a number that is no action';
  return { ...PLACE, invariant: 'action/unknown', severity: 'error', expected, got, sentence, summary };
}
