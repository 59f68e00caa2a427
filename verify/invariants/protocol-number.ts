/**
 * The protocol number of an IP header names the packet behind it: who puts a header in front of a packet and says that
 * TCP follows, or IPv4 in front of an IPv6 packet, sends what no receiver takes out again.
 *
 * Judged is an IPv4 or IPv6 header that lies unchanged right behind an IP header, whose number stands for something
 * else. Numbers that this does not know may be a program's own.
 */
import { protocolName } from '../../sim/packet/numbers.ts';
import { type LostPacket, lostPacket, rightNumber } from '../oracle/announcement.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import type { Breach, Invariant } from './invariant.ts';
import { type Rule, rule } from './rule.ts';

export const PROTOCOL_RULES: readonly Rule[] = [
  rule(
    'protocol/mismatch',
    'error',
    'The protocol number does not name what follows',
    'A header was put in front of an IP packet with the number of another protocol: 4 stands for IPv4 behind it (RFC 2003 §3.1), 41 for IPv6 (RFC 4213 §3.5). Receivers drop the packet, or take it for something else.',
  ),
];

/** From here on numbers are for experiments (RFC 3692 §2.1). */
const EXPERIMENTS = 253;

export const protocolNumber: Invariant = {
  name: 'protocol',
  judge(pair: FramePair): Breach | undefined {
    const lost = pair.was.count === 0 ? undefined : lostPacket(pair);
    return lost === undefined ? undefined : protocolBreach(lost);
  },
};

/** What the protocol number in front of a packet breaks; undefined where it is none, or may be a program's own. */
export function protocolBreach({ version, says, wasNamed }: LostPacket): Breach | undefined {
  if (says.by !== 'protocol' || !wasNamed) return undefined;
  const meaning = protocolName(says.number);
  if (meaning === undefined || says.number >= EXPERIMENTS) return undefined;
  const right = rightNumber('protocol', version);
  const label = `IPv${version}`;
  const got = `${says.number} (${meaning})`;
  return {
    invariant: 'protocol/mismatch',
    severity: 'error',
    at: says.at,
    size: 1,
    expected: `${right} (${protocolName(right)})`,
    got,
    sentence: `the protocol number says ${got}, but the ${label} packet follows right behind it`,
    summary: 'the protocol number does not name the packet behind it',
  };
}
