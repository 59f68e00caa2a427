/**
 * The EtherType names the packet behind it: who takes a VLAN tag, an MPLS label or a PPPoE header off a frame and leaves
 * the EtherType as it was sends a packet that receivers take for something else. No header leads to it any more, so an
 * oracle for checksums alone would pass over it.
 *
 * Judged is an IPv4 or IPv6 header that lies unchanged right behind the Ethernet header or its tags. Not judged are
 * EtherTypes of which this does not know what follows: they may be a program's own.
 */
import { isTpid, TPIDS } from '../../sim/packet/vlan.ts';
import { HEADER } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import type { Breach, Invariant } from './invariant.ts';

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
/** What follows these has a form of its own, which is not IP's. */
const OTHERS: ReadonlyMap<number, string> = new Map([
  ...TPIDS.map((type) => [type, 'a VLAN tag'] as const),
  [0x8847, 'MPLS'],
  [0x8848, 'MPLS'],
  [0x8863, 'PPPoE'],
  [0x8864, 'PPPoE'],
  [0x0806, 'ARP'],
]);

/** Bytes of the headers that forwarding leaves alone: version, lengths, addresses; [from, to). */
const KEPT4 = [
  [0, 1],
  [2, 4],
  [12, 20],
] as const;
const KEPT6 = [
  [0, 1],
  [4, 6],
  [8, 40],
] as const;

export const ethertype: Invariant = {
  name: 'ethertype',
  judge(pair: FramePair): Breach | undefined {
    if (pair.cameBroken || pair.was.count === 0) return undefined;
    // Where nothing leads to the packet any more, its bytes tell by how much it moved: something went at the head.
    return judgeMoved(pair, pair.shift) ?? judgeMoved(pair, pair.beforeLength - pair.afterLength);
  },
};

function judgeMoved(pair: FramePair, shift: number): Breach | undefined {
  const { was, is, after, afterOffset, afterLength } = pair;
  const kind = was.kind[0]!;
  if (kind !== HEADER.ipv4 && kind !== HEADER.ipv6) return undefined;
  const isFour = kind === HEADER.ipv4;
  const start = was.start[0]! - shift;
  if (start < 14 || start + (isFour ? 20 : 40) > afterLength) return undefined;
  for (let row = 0; row < is.count; row++) if (is.start[row] === start) return undefined;
  const typeAt = typeBefore(after, afterOffset, start);
  if (typeAt === undefined) return undefined;
  const type = read16(after, afterOffset + typeAt);
  const says = OTHERS.get(type);
  if (says === undefined) return undefined;
  for (const [from, to] of isFour ? KEPT4 : KEPT6) {
    if (!pair.isOld(start + from, start + to, shift)) return undefined;
  }
  const label = isFour ? 'IPv4' : 'IPv6';
  const got = `${hex(type)} (${says})`;
  return {
    invariant: 'ethertype/stale',
    severity: 'error',
    layer: isFour ? 'ipv4' : 'ipv6',
    depth: 0,
    at: typeAt,
    size: 2,
    expected: `${hex(isFour ? IPV4 : IPV6)} (${label})`,
    got,
    sentence: `the EtherType says ${got}, but the ${label} packet follows right behind it`,
    summary: 'the EtherType does not name the packet behind it',
  };
}

/** Where the EtherType lies behind which `start` comes next; undefined where the Ethernet header and its tags end elsewhere. */
function typeBefore(frame: Uint8Array, offset: number, start: number): number | undefined {
  let at = 12;
  while (at + 2 < start && isTpid(read16(frame, offset + at))) at += 4;
  return at + 2 === start ? at : undefined;
}

function read16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function hex(type: number): string {
  return `0x${type.toString(16).padStart(4, '0')}`;
}
