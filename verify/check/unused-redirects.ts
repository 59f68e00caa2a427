/**
 * Redirects that never happen: a helper has stored a target, and the program returns something else each time. The kernel looks at
 * the target where (TC_ACT_/XDP_)REDIRECT is returned, and nowhere else (`skb_do_redirect`, `xdp_do_redirect`).
 */
import { actionName, TC_ACT_REDIRECT, XDP_REDIRECT } from '../../sim/runtime/actions.ts';
import { DELIVERY, deliveryOf } from '../../sim/runtime/delivery.ts';
import { type CallRemark, type CallStep, lineOf, placeOf, type TracedRun } from './call-remark.ts';

/** Helpers that store a target, and return the action that leads there. */
export const REDIRECTS: readonly string[] = [
  'bpf_redirect',
  'bpf_redirect_map',
  'bpf_redirect_peer',
  'bpf_redirect_neigh',
];

/** So many packets have to show it. */
const NEEDED = 3;

/** Each call that stored a target: what is returned in place of it is held against it, and a run that goes there clears it. */
export function unusedRedirects(run: TracedRun): CallRemark[] {
  const wanted = run.hook === 'xdp' ? XDP_REDIRECT : TC_ACT_REDIRECT;
  return run.trace.steps
    .filter((step): step is CallStep => step.call !== undefined && REDIRECTS.includes(step.call.name))
    .filter(({ call }) => Number(call.result) === wanted)
    .map((step) => remarkOn(run, step, wanted));
}

function remarkOn({ hook, action, came }: TracedRun, step: CallStep, wanted: number): CallRemark {
  const place = `${placeOf(step)} unused`;
  if (deliveryOf(hook, action) === DELIVERY.redirected) return { place };
  const [returned, name] = [action, wanted].map((one) => actionName(hook, one));
  return {
    place,
    fault: {
      evidence: { value: Buffer.from(came).toString('base64'), needed: NEEDED, isOfRelatives: true },
      breach: {
        invariant: 'redirect/unused',
        at: 0,
        size: 0,
        expected: `${name}, which ${step.call.name} returned`,
        got: `${returned}`,
        sentence: `${step.call.name} stored a target and returned ${name}, and the program returned ${returned}, as it does each time: no packet goes there`,
      },
      ...lineOf(step),
    },
  };
}
