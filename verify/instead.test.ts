import { expect, it } from 'vitest';
import { TC_ACT_SHOT, XDP_DROP, XDP_PASS, XDP_REDIRECT } from '../sim/runtime/actions.ts';
import { insteadOf } from './instead.ts';

const fate = (action: number, redirect = 0) => ({ action, redirect });

it.each([
  ['xdp', fate(XDP_DROP), fate(XDP_PASS), 'returns XDP_DROP instead of XDP_PASS'],
  ['tc-ingress', fate(TC_ACT_SHOT), fate(0), 'returns TC_ACT_SHOT instead of TC_ACT_OK'],
  ['xdp', fate(XDP_REDIRECT, 3), fate(XDP_REDIRECT, 2), 'redirects to 3 instead of 2'],
  ['xdp', fate(XDP_REDIRECT, 3), fate(XDP_PASS), 'returns XDP_REDIRECT instead of XDP_PASS'],
  ['xdp', fate(XDP_PASS), fate(XDP_PASS), 'treats the packet otherwise'],
] as const)('at %s, %j beside %j: %s', (hook, now, usual, text) => {
  expect(insteadOf(hook, now, usual)).toBe(text);
});
