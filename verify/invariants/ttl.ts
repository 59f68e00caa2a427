/**
 * A TTL or hop limit that is lowered does not come to 0 in a packet that goes on, nor past it: such a packet is to be
 * dropped, and answered with "time exceeded" (RFC 1812 §5.3.1, RFC 8200 §3).
 */
import { HEADER, HEADER_FLAG } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import { type Breach, headerOf, type Invariant } from './invariant.ts';
import { type Rule, rule } from './rule.ts';

export const TTL_RULES: readonly Rule[] = [
  rule(
    'ttl/expired',
    'error',
    'A TTL lowered to 0 in a packet that goes on',
    'The packet came with TTL (or hop limit) 1 and was sent on with 0. A router drops it and sends "time exceeded"; an XDP program leaves that to the stack with XDP_PASS, before it changes anything.',
  ),
  rule(
    'ttl/wrapped',
    'error',
    'A TTL lowered below 0',
    'The packet came with TTL (or hop limit) 0 and was sent on with 255: in a routing loop it never dies.',
  ),
  rule(
    'ttl/step',
    'warning',
    'A TTL lowered by more than one',
    'Every packet that was redirected lost the same number, above one, from its TTL. A router lowers it by one. A warning, since RFC 1812 §5.3.1 allows IPv4 a larger step, and some programs limit the reach of packets on purpose.',
  ),
  rule(
    'ttl/not-lowered',
    'error',
    'Routed without lowering the TTL',
    'The program looked a route up with `bpf_fib_lookup`, put the next hop’s addresses into the frame and redirected it with the TTL that it came with, whatever that was. Whoever routes lowers it (RFC 1812 §5.3.1, RFC 8200 §3): in a routing loop the packet never dies. A warning where this packet was redirected without a lookup that found a route.',
  ),
];

export const ttl: Invariant = {
  name: 'ttl',
  judge(pair: FramePair): Breach | undefined {
    const { is, was, before, beforeOffset, after, afterOffset } = pair;
    for (let row = 0; row < is.count; row++) {
      const kind = is.kind[row]!;
      if (kind !== HEADER.ipv4 && kind !== HEADER.ipv6) continue;
      const match = is.match[row]!;
      if (match < 0 || was.kind[match] !== kind) continue;
      const flags = is.flags[row]! | was.flags[match]!;
      if ((flags & (HEADER_FLAG.cut | HEADER_FLAG.impossible | HEADER_FLAG.quoted)) !== 0) return undefined;
      const at = kind === HEADER.ipv4 ? 8 : 7;
      const then = before[beforeOffset + was.start[match]! + at]!;
      const now = after[afterOffset + is.start[row]! + at]!;
      const isExpired = then > 0 && now === 0;
      if (!isExpired && !(then === 0 && now === 255)) continue;
      const { layer, depth, label } = headerOf(pair, row);
      const name = kind === HEADER.ipv4 ? 'TTL' : 'hop limit';
      return {
        invariant: isExpired ? 'ttl/expired' : 'ttl/wrapped',
        severity: 'error',
        layer,
        depth,
        at: is.start[row]! + at,
        size: 1,
        expected: 'no packet, or one with the field as it came',
        got: String(now),
        sentence: `the ${label} ${name} went from ${then} to ${now} in a packet that goes on`,
        summary: isExpired ? `a ${name} lowered to 0` : `a ${name} lowered below 0`,
      };
    }
    return undefined;
  },
};
