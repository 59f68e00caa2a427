import { describe, expect, it } from 'vitest';
import type { Hook } from './actions.ts';
import { DELIVERY, deliveryOf, leaves } from './delivery.ts';

const { dropped, passed, sentBack, redirected } = DELIVERY;

describe('where an action sends the frame', () => {
  it.each<[Hook, string, number, number]>([
    ['xdp', 'XDP_ABORTED', 0, dropped],
    ['xdp', 'XDP_DROP', 1, dropped],
    ['xdp', 'XDP_PASS', 2, passed],
    ['xdp', 'XDP_TX', 3, sentBack],
    ['xdp', 'XDP_REDIRECT', 4, redirected],
    ['xdp', 'an unknown action', 5, dropped],
    ['xdp', 'a negative action', -1, dropped],
    ['tc-ingress', 'TC_ACT_UNSPEC', -1, passed],
    ['tc-ingress', 'TC_ACT_OK', 0, passed],
    ['tc-ingress', 'TC_ACT_RECLASSIFY', 1, passed],
    ['tc-ingress', 'TC_ACT_SHOT', 2, dropped],
    ['tc-ingress', 'TC_ACT_PIPE', 3, passed],
    ['tc-ingress', 'TC_ACT_STOLEN', 4, dropped],
    ['tc-ingress', 'TC_ACT_QUEUED', 5, dropped],
    ['tc-ingress', 'TC_ACT_REPEAT', 6, passed],
    ['tc-ingress', 'TC_ACT_REDIRECT', 7, redirected],
    ['tc-ingress', 'TC_ACT_TRAP', 8, dropped],
    ['tc-ingress', 'an unknown action', 9, passed],
    ['tc-egress', 'TC_ACT_TRAP', 8, dropped],
    ['tc-egress', 'TC_ACT_REDIRECT', 7, redirected],
  ])('%s: %s', (hook, _name, action, delivery) => {
    expect(deliveryOf(hook, action)).toBe(delivery);
    expect(leaves(hook, action)).toBe(delivery !== dropped);
  });
});
