/**
 * What a packet's own header says to every router on the way, and what whoever marks packets overwrites with it: the two lower bits of
 * the byte that holds the DSCP, which tell senders of congestion (RFC 3168), and IPv6's flow label, which stands beside it (RFC 6437).
 *
 * Of packets that the program makes itself, as answers and new headers, nothing is said: they have their own.
 */
import { HEADER, isIp } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import { addressesOf, isGroup, sameBytes } from './answers.ts';
import { type Breach, headerOf, type Invariant } from './invariant.ts';
import { type Rule, rule } from './rule.ts';
import { sameIp } from './ttl.ts';

export const TRAFFIC_CLASS_RULES: readonly Rule[] = [
  rule(
    'ecn/changed',
    'warning',
    'Congestion marks overwritten',
    'The two lower bits of the TOS byte, or of IPv6’s traffic class, are not of the DSCP but of ECN (RFC 3168 §5): a packet that says it can be marked may be marked as one that met congestion, and no other change is a router’s to make. With "congestion experienced" cleared, the sender does not slow down; with ECN set where it was not, packets are marked instead of dropped for hosts that do not look at the mark. The usual cause is a DSCP that is written over the whole byte (`ip->tos = 46 << 2`): keep the two bits, `(ip->tos & 3) | 46 << 2`, as `ipv4_change_dsfield` does. Where a tunnel’s header is taken off, the inner header may take over what happened to the outer one (RFC 6040 §4.2). A warning, since some networks turn ECN off on purpose.',
  ),
  rule(
    'flow-label/changed',
    'warning',
    'An IPv6 flow label that is lost',
    'The flow label that the sender wrote is to arrive as it is (RFC 6437 §3): routers on the way, and balancers, keep a flow on one path by it. The usual cause is the first word of the header that is written as a whole, for the traffic class (`*(__be32 *)ip6 = bpf_htonl(0x60000000 | class << 20)`). A label of 0 may be filled in. A warning, since firewalls may remove labels on purpose.',
  ),
];

export const trafficClass: Invariant = {
  name: 'traffic-class',
  judge(pair: FramePair): Breach | undefined {
    const { is } = pair;
    if (pair.cameBroken) return undefined;
    for (let row = 0; row < is.count; row++) {
      const came = isIp(is.kind[row]!) ? sameIp(pair, row) : -1;
      if (came < 0 || !keepsAnAddress(pair, row, came)) continue;
      const breach = ecnBreach(pair, row, came) ?? labelBreach(pair, row, came);
      if (breach !== undefined) return breach;
    }
    return undefined;
  },
};

/**
 * Does one of its addresses stand where it stood? Answers, and packets that the program sends of its own accord, have other ones. What
 * answers a group goes to that group as well, from another address; where both are one, exchanging them changes nothing.
 */
function keepsAnAddress(pair: FramePair, row: number, came: number): boolean {
  const { is, was, before, beforeOffset, after, afterOffset } = pair;
  const [at, size] = addressesOf(is.kind[row]!);
  const now = afterOffset + is.start[row]! + at;
  const then = beforeOffset + was.start[came]! + at;
  if (sameBytes(before, then, before, then + size, size)) return false;
  if (sameBytes(after, now, before, then, size)) return true;
  return sameBytes(after, now + size, before, then + size, size) && !isGroup(after, now + size, size);
}

const [NOT_ECT, ECT_1, ECT_0, CE] = [0, 1, 2, 3];
const ECN_NAMES = ['Not-ECT', 'ECT(1)', 'ECT(0)', 'CE'];

function ecnBreach(pair: FramePair, row: number, came: number): Breach | undefined {
  const { is, was } = pair;
  const now = ecnAt(pair.after, pair.afterOffset + is.start[row]!, is.kind[row]!);
  const then = ecnAt(pair.before, pair.beforeOffset + was.start[came]!, was.kind[came]!);
  if (now === then || (now === CE && then !== NOT_ECT)) return undefined;
  // The header that was around it, and is not any more, may have been marked so (RFC 6040 §4.2).
  if (now === ECT_1 && then === ECT_0 && isDecapsulated(pair, came)) return undefined;
  const { layer, depth, label } = headerOf(pair, row);
  const [expected, got] = [ECN_NAMES[then]!, ECN_NAMES[now]!];
  return {
    invariant: 'ecn/changed',
    severity: 'warning',
    layer,
    depth,
    at: is.start[row]! + 1,
    size: 1,
    expected: then === NOT_ECT || then === CE ? expected : `${expected} or CE`,
    got,
    sentence: `the ${label} packet came with the ECN bits ${expected}, and left with ${got}`,
    summary: 'ECN bits that were overwritten',
  };
}

/** IPv4 ends its second byte with them; IPv6's traffic class lies four bits further on. */
function ecnAt(bytes: Uint8Array, header: number, kind: number): number {
  const second = bytes[header + 1]!;
  return (kind === HEADER.ipv4 ? second : second >> 4) & 3;
}

/** Did another IP header stand around it as it came? */
function isDecapsulated({ was }: FramePair, came: number): boolean {
  for (let other = 0; other < came; other++) if (isIp(was.kind[other]!)) return true;
  return false;
}

function labelBreach(pair: FramePair, row: number, came: number): Breach | undefined {
  const { is, was } = pair;
  if (is.kind[row] !== HEADER.ipv6) return undefined;
  const now = flowLabelAt(pair.after, pair.afterOffset + is.start[row]!);
  const then = flowLabelAt(pair.before, pair.beforeOffset + was.start[came]!);
  if (now === then || then === 0) return undefined;
  const { layer, depth, label } = headerOf(pair, row);
  return {
    invariant: 'flow-label/changed',
    severity: 'warning',
    layer,
    depth,
    at: is.start[row]! + 1,
    size: 3,
    expected: hex(then),
    got: hex(now),
    sentence: `the ${label} packet came with the flow label ${hex(then)}, and left with ${hex(now)}`,
    summary: 'a flow label that was changed',
  };
}

function flowLabelAt(bytes: Uint8Array, header: number): number {
  return ((bytes[header + 1]! & 0x0f) << 16) | (bytes[header + 2]! << 8) | bytes[header + 3]!;
}

function hex(label: number): string {
  return `0x${label.toString(16).padStart(5, '0')}`;
}
