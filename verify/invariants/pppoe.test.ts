/** PPPoE headers of sessions, which a program put in front of a packet or changed. */
import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import {
  bytes,
  data,
  ethernet,
  ipv4,
  ipv6,
  PASSED,
  u16,
  udp,
  V6_A,
  V6_B,
  vlan,
} from '../test-support/packets.ts';
import { pppoe } from './pppoe.ts';
import { ruleOf } from './rules.ts';

const pair = new FramePair();

function judged(before: Uint8Array, after: Uint8Array): string {
  if (!pair.set(before, 0, before.length, after, 0, after.length)) return '';
  const breach = pppoe.judge(pair, PASSED);
  if (breach !== undefined) expect(ruleOf(breach.invariant).severity).toBe(breach.severity);
  return breach === undefined ? '' : `${breach.invariant}: ${breach.sentence}`;
}

const four = ipv4(17, udp(data(30)));
const six = ipv6(17, udp(data(30), V6_A, V6_B));
const session = (
  packet: Uint8Array,
  parts: { first?: number; code?: number; length?: number; ppp?: number } = {},
): Uint8Array => {
  const {
    first = 0x11,
    code = 0,
    length = packet.length + 2,
    ppp = packet[0]! >> 4 === 4 ? 0x21 : 0x57,
  } = parts;
  return bytes(first, code, [0, 7], u16(length), u16(ppp), packet);
};
const pushed = (packet: Uint8Array, parts?: Parameters<typeof session>[1]): string =>
  judged(ethernet(packet[0]! >> 4 === 4 ? 0x0800 : 0x86dd, packet), ethernet(0x8864, session(packet, parts)));

describe('a PPPoE header that was put in front', () => {
  it('is right with version and type 1, code 0, the length behind it and the protocol of PPP', () => {
    expect([four, six].map((packet) => pushed(packet))).toEqual(['', '']);
    expect(judged(ethernet(0x0800, four), vlan(7, 0x8864, session(four)))).toBe('');
    // Padding, which no length counts.
    const padded = bytes(ethernet(0x0800, four), data(6));
    expect(judged(padded, bytes(ethernet(0x8864, session(four)), data(6)))).toBe('');
    // Other protocols of PPP: IPCP, and one that PPP compressed to a byte.
    for (const ppp of [0x8021, 0xc021, 0x2145]) expect(pushed(four, { ppp })).toBe('');
  });

  it('says version 1 and type 1', () => {
    expect(pushed(four, { first: 0x10 })).toBe('pppoe/version: the version and type of PPPoE say 0x10');
    expect(judged(ethernet(0x0800, four), vlan(7, 0x8864, session(four, { first: 1 })))).toContain(
      'say 0x01',
    );
  });

  it('has no code', () => {
    expect(pushed(four, { code: 0xa7 })).toBe('pppoe/code: the code of a PPPoE session packet says 0xa7');
  });

  it('states no more than is there', () => {
    const there = four.length + 2;
    expect(pushed(four, { length: there + 6 })).toBe(
      `pppoe/length: the PPPoE length says ${there + 6} bytes, but only ${there} are there`,
    );
    expect(pushed(six, { length: (six.length + 2) << 8 })).toContain('pppoe/length');
  });

  it('names the packet as PPP does', () => {
    expect(pushed(four, { ppp: 0x2100 })).toBe(
      'pppoe/protocol: the PPP protocol says 0x2100, and IPv4 follows',
    );
    expect(pushed(six, { ppp: 0x5700 })).toContain('0x5700, and IPv6 follows');
    expect(pushed(six, { ppp: 0x0021 })).toContain('0x0021, and IPv6 follows');
    expect(pushed(four, { ppp: 0x0800 })).toContain('0x0800, and IPv4 follows');
    const other = bytes(0x30, data(30));
    expect(judged(ethernet(0x0800, four), ethernet(0x8864, session(other, { ppp: 0x0800 })))).toContain(
      '0x0800, which no protocol of PPP has',
    );
  });
});

describe('a PPPoE header that came', () => {
  const came = ethernet(0x8864, session(four));

  it('is judged where it was right, and the frame became shorter or the header another', () => {
    const other = came.slice();
    other[17] = 9;
    expect(judged(came, other)).toBe('');
    other[14] = 0x21;
    expect(judged(came, other)).toContain('pppoe/version');
    const short = came.slice(0, -8);
    short[17] = 9;
    expect(judged(came, short)).toContain('pppoe/length');
  });

  it('proves nothing where it was wrong, or something else behind a new EtherType', () => {
    for (const parts of [{ first: 0x21 }, { code: 9 }, { length: 500 }]) {
      const wrong = ethernet(0x8864, session(four, parts));
      const left = wrong.slice();
      left[17] = 9;
      expect(judged(wrong, left)).toBe('');
    }
    expect(judged(ethernet(0x0800, four), ethernet(0x8864, four))).toBe('');
  });
});
