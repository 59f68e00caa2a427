/** What becomes of a frame after its program has returned: the view of an engine that watches the wire. */
import {
  type Hook,
  TC_ACT_QUEUED,
  TC_ACT_REDIRECT,
  TC_ACT_SHOT,
  TC_ACT_STOLEN,
  TC_ACT_TRAP,
  XDP_PASS,
  XDP_REDIRECT,
  XDP_TX,
} from './actions.ts';

export const DELIVERY = { dropped: 0, passed: 1, sentBack: 2, redirected: 3 } as const;
export type Delivery = (typeof DELIVERY)[keyof typeof DELIVERY];

/**
 * Where a returned action sends the frame. XDP: aborted, dropped and unknown actions all free the frame
 * (net/core/dev.c `do_xdp_generic`, drivers alike). TC: shot, stolen, queued and trapped frames go nowhere, everything
 * else but a redirect goes on as if it were OK (net/core/dev.c `sch_handle_ingress`).
 */
export function deliveryOf(hook: Hook, action: number): Delivery {
  if (hook === 'xdp') {
    if (action === XDP_PASS) return DELIVERY.passed;
    if (action === XDP_TX) return DELIVERY.sentBack;
    if (action === XDP_REDIRECT) return DELIVERY.redirected;
    return DELIVERY.dropped;
  }
  switch (action) {
    case TC_ACT_SHOT:
    case TC_ACT_STOLEN:
    case TC_ACT_QUEUED:
    case TC_ACT_TRAP:
      return DELIVERY.dropped;
    case TC_ACT_REDIRECT:
      return DELIVERY.redirected;
    default:
      return DELIVERY.passed;
  }
}

/** Does a frame leave the program at all, towards the stack or the wire? */
export function leaves(hook: Hook, action: number): boolean {
  return deliveryOf(hook, action) !== DELIVERY.dropped;
}
