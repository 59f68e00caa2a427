/**
 * What the judge and the invariants make of frames that came and left: of every kind of packet, with what programs do to frames,
 * right and wrong.
 */
import { describe, expect, it } from 'vitest';
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import { broken } from '../invariants/broken.ts';
import { INVARIANTS } from '../invariants/index.ts';
import type { Invariant, Passage } from '../invariants/invariant.ts';
import { laterFragments } from '../invariants/later-fragments.ts';
import { reply } from '../invariants/reply.ts';
import { transports } from '../invariants/transports.ts';
import { ttl } from '../invariants/ttl.ts';
import { bytes, data, PASSED } from '../test-support/packets.ts';
import { changed, fingerprint } from '../test-support/recorded.ts';
import { RIGHT_PACKETS } from '../test-support/right-packets.ts';
import { HEADER_NAMES } from './found.ts';
import { FramePair } from './frame-pair.ts';
import { MATCH } from './header-list.ts';
import { ChecksumJudge } from './judge.ts';

const pair = new FramePair();
const judge = new ChecksumJudge();
const PASSAGES: readonly Readonly<Passage>[] = [
  PASSED,
  { hook: 'xdp', action: 3, delivery: DELIVERY.sentBack, redirect: undefined },
];
const JUDGED: readonly Invariant[] = [...INVARIANTS, broken, laterFragments, reply, transports, ttl];

function matchName(match: number): string {
  return match === MATCH.none ? 'new' : match === MATCH.exposed ? 'exposed' : `${match}`;
}

/** All that is found out about the pair, as one line. */
function outcome(before: Uint8Array, after: Uint8Array): string {
  // Neither frame stands at the start of its arena.
  const came = bytes(data(3), before, data(2));
  const left = bytes(data(7), after, data(4));
  if (!pair.set(came, 3, before.length, left, 7, after.length)) return 'nothing to judge';
  const { is } = pair;
  const rows = Array.from({ length: is.count }, (_, row) => {
    const match = is.match[row]!;
    const written = match === MATCH.none ? (pair.isWritten(row) ? ' written' : ' not written') : '';
    return `${HEADER_NAMES[is.kind[row]!]}@${is.start[row]}=${matchName(match)}${written}`;
  });
  const fault = judge.judgePair(pair);
  const parts = [`shift ${pair.shift}${pair.cameBroken ? ', came broken' : ''}: ${rows.join(' ')}`];
  if (pair.hidesGoodChecksum()) parts.push('hides a checksum');
  if (fault !== undefined) {
    const { layer, depth, kind } = fault;
    parts.push(`${layer}/${depth} ${kind} ${JSON.stringify([fault.before ?? null, fault.after])}`);
  }
  if (judge.removed) parts.push('removed');
  if (judge.unjudged !== undefined) parts.push(`unjudged: ${judge.unjudged}`);
  for (const passage of PASSAGES)
    for (const invariant of JUDGED) {
      const breach = invariant.judge(pair, passage);
      if (breach !== undefined) parts.push(`${passage.action} ${JSON.stringify(breach)}`);
    }
  return parts.join(' | ');
}

const TAG = [0x81, 0, 0, 5];
const pushed = (packet: Uint8Array, at: number, ...what: readonly number[]): Uint8Array =>
  bytes(packet.subarray(0, at), what, packet.subarray(at));
const cut = (packet: Uint8Array, at: number, size: number): Uint8Array =>
  bytes(packet.subarray(0, at), packet.subarray(at + size));
const zeros = (size: number): number[] => Array.from({ length: size }, () => 0);

/** What programs do to frames without a thought for what is in them. */
const EDITS: Readonly<Record<string, (packet: Uint8Array) => Uint8Array>> = {
  'a tag pushed': (packet) => pushed(packet, 12, ...TAG),
  'a tag popped': (packet) => cut(packet, 12, 4),
  '14 bytes taken off in front': (packet) => packet.subarray(14),
  '20 bytes cut out behind Ethernet': (packet) => cut(packet, 14, 20),
  '40 bytes cut out behind Ethernet': (packet) => cut(packet, 14, 40),
  '8 bytes cut out behind IPv4': (packet) => cut(packet, 34, 8),
  '28 bytes cut out behind Ethernet': (packet) => cut(packet, 14, 28),
  '20 zeros put in behind Ethernet': (packet) => pushed(packet, 14, ...zeros(20)),
  'an IPv4 header put in front': (packet) =>
    pushed(packet, 14, 0x45, 0, 0, 0x66, 0, 0, 0, 0, 64, 4, 0x66, 0x7a, 10, 0, 0, 1, 10, 0, 0, 2),
  'IPv4 and UDP put in front': (packet) =>
    pushed(
      packet,
      14,
      ...[0x45, 0, 0, 0x66, 0, 0, 0, 0, 64, 17, 0x66, 0x6d, 10, 0, 0, 1, 10, 0, 0, 2],
      ...[0x12, 0x34, 0x12, 0xb5, 0, 0x52, 0, 0],
    ),
  '8 zeros put in behind IPv4': (packet) => pushed(packet, 34, ...zeros(8)),
  'a byte off the end': (packet) => packet.subarray(0, packet.length - 1),
  '9 bytes off the end': (packet) => packet.subarray(0, packet.length - 9),
  'all but 34 bytes cut off': (packet) => packet.subarray(0, 34),
  'a byte appended': (packet) => bytes(packet, 1),
  '30 bytes appended': (packet) => bytes(packet, data(30)),
  '30 zeros appended': (packet) => bytes(packet, zeros(30)),
  'padded to 60': (packet) => bytes(packet, zeros(Math.max(0, 60 - packet.length))),
  'addresses of Ethernet swapped': (packet) =>
    bytes(packet.subarray(6, 12), packet.subarray(0, 6), packet.subarray(12)),
  'called IPv4': (packet) => bytes(packet.subarray(0, 12), 8, 0, packet.subarray(14)),
  'called IPv6': (packet) => bytes(packet.subarray(0, 12), 0x86, 0xdd, packet.subarray(14)),
  'addresses of IPv4 swapped': (packet) =>
    bytes(packet.subarray(0, 26), packet.subarray(30, 34), packet.subarray(26, 30), packet.subarray(34)),
  'an address of IPv4 changed': (packet) => bytes(packet.subarray(0, 30), 10, 0, 0, 99, packet.subarray(34)),
  'another protocol in IPv4': (packet) => bytes(packet.subarray(0, 23), 253, packet.subarray(24)),
  'UDP over IPv4 without a checksum': (packet) => bytes(packet.subarray(0, 40), 0, 0, packet.subarray(42)),
  'UDP over IPv6 without a checksum': (packet) => bytes(packet.subarray(0, 60), 0, 0, packet.subarray(62)),
  'the total length one more': (packet) =>
    bytes(packet.subarray(0, 17), (packet[17]! + 1) & 0xff, packet.subarray(18)),
  'the total length brought in line': (packet) =>
    bytes(packet.subarray(0, 16), 0, packet.length - 14, packet.subarray(18)),
  'a fragment from then on': (packet) => bytes(packet.subarray(0, 20), 0x20, 0, packet.subarray(22)),
  'fragments no more': (packet) => bytes(packet.subarray(0, 20), 0, 0, packet.subarray(22)),
  'a TTL of 0': (packet) => bytes(packet.subarray(0, 22), 0, packet.subarray(23)),
  'a TTL of 0, raised': (packet) => bytes(packet.subarray(0, 22), 255, packet.subarray(23)),
};

describe('what is found out about frames that came and left', () => {
  it('is as recorded for what programs do to frames', async () => {
    const lines: string[] = [];
    for (const [name, packet] of Object.entries(RIGHT_PACKETS)) {
      const outcomes = Object.entries(EDITS).map(
        ([edit, apply]) => `${name}, ${edit}: ${outcome(packet, apply(packet))}`,
      );
      lines.push(`${name}: ${fingerprint(`pairs of ${name}`, outcomes)}`);
    }
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/edited-frames.txt');
  });

  it('is as recorded, in full, for three packets', async () => {
    const lines: string[] = [];
    for (const name of ['UDP', 'UDP over IPv6', 'VXLAN']) {
      const packet = RIGHT_PACKETS[name]!;
      for (const [edit, apply] of Object.entries(EDITS))
        lines.push(`${name}, ${edit}:`, ...outcome(packet, apply(packet)).split(' | '));
    }
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/edited-frames-in-full.txt');
  });

  it('is as recorded where a byte was changed, before or afterwards', async () => {
    const lines: string[] = [];
    for (const [name, packet] of Object.entries(RIGHT_PACKETS)) {
      const outcomes: string[] = [];
      let index = 0;
      for (const [change, copy] of changed(packet, 56)) {
        // One of each three will do: the packets are many.
        if (index++ % 3 !== 0) continue;
        outcomes.push(`${change} afterwards: ${outcome(packet, copy)}`);
        // It came with the change, and something else was changed.
        const other = copy.slice();
        const at = 14 + (copy.length % 20);
        other[at]! ^= 0x21;
        outcomes.push(`${change} before: ${outcome(copy, other)}`);
      }
      lines.push(`${name}: ${fingerprint(`changed ${name}`, outcomes)}`);
    }
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/changed-frames.txt');
  });

  it('is as recorded where one packet became another', async () => {
    const packets = Object.entries(RIGHT_PACKETS);
    const lines = packets.map(([name, packet], index) => {
      const outcomes = [1, 2, 3, 5, 8, 13, 21, 34].map((step) => {
        const [other, after] = packets[(index + step) % packets.length]!;
        return `to ${other}: ${outcome(packet, after)}`;
      });
      return `${name}: ${fingerprint(`became ${name}`, outcomes)}`;
    });
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/other-frames.txt');
  });
});
