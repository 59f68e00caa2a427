/** What ICMP errors say that programs make: right ones, and those that hosts drop or cannot use. */
import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import {
  bytes,
  data,
  ethernet,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  MAC_A,
  MAC_B,
  PASSED,
  u16,
  udp,
  V4_A,
  V4_B,
  V6_A,
  V6_B,
} from '../test-support/packets.ts';
import { icmpError } from './icmp-error.ts';
import type { Passage } from './invariant.ts';
import { ruleOf } from './rules.ts';

const pair = new FramePair();
const SENT_BACK: Passage = { ...PASSED, action: 3, delivery: 2 };

const SIZE = 1500;
const came4 = ipv4(17, udp(data(SIZE - 28)));
const came6 = ipv6(17, udp(data(SIZE - 48), V6_A, V6_B));

function judged(type: number, came: Uint8Array, left: Uint8Array, passage = SENT_BACK): string {
  const [before, after] = [ethernet(type, came), bytes(MAC_A, MAC_B, u16(type), left)];
  if (!pair.set(before, 0, before.length, after, 0, after.length)) return '';
  const breach = icmpError.judge(pair, passage);
  if (breach !== undefined) expect(ruleOf(breach.invariant).severity).toBe(breach.severity);
  return breach === undefined ? '' : `${breach.invariant}: ${breach.got}`;
}

interface Parts {
  readonly code?: number;
  readonly rest?: readonly number[];
  readonly quoted?: number;
  readonly came?: Uint8Array;
}

function error4({ code = 3, rest = [0, 0, 0, 0], quoted = 28, came = came4 }: Parts, passage = SENT_BACK) {
  const message = icmp(3, code, rest, came.slice(0, quoted));
  return judged(0x0800, came, ipv4(1, message, { source: V4_B, destination: V4_A }), passage);
}

function error6(type: number, { rest = [0, 0, 0, 0], quoted = 48, came = came6 }: Parts): string {
  const message = icmpv6(type, rest, came.slice(0, quoted), V6_B, V6_A);
  return judged(0x86dd, came, ipv6(58, message, V6_B, V6_A));
}

describe('the quote', () => {
  it('has the header and 8 bytes', () => {
    expect(error4({})).toBe('');
    expect(error4({ quoted: 27 })).toBe('reply/short-quote: 27 bytes');
    expect(error4({ quoted: 20 })).toBe('reply/short-quote: 20 bytes');
    expect(error4({ quoted: 20 }, PASSED)).toBe('');
    expect(error6(1, {})).toBe('');
    expect(error6(1, { quoted: 40 })).toBe('reply/short-quote: 40 bytes');
  });

  it('has options, too, and is no longer than the packet', () => {
    const options = ipv4(17, udp(data(20)), { options: [1, 1, 1, 1] });
    expect(error4({ came: options })).toBe('reply/short-quote: 28 bytes');
    expect(error4({ came: options, quoted: 32 })).toBe('');
    expect(error4({ came: ipv4(253, data(4)), quoted: 24 })).toBe('');
  });

  it('may end in extension headers', () => {
    const came = ipv6(0, bytes([17, 0, 1, 4, 0, 0, 0, 0], udp(data(20), V6_A, V6_B)));
    expect(error6(1, { came, quoted: 48 })).toBe('');
    expect(error6(1, { came, quoted: 47 })).toBe('reply/short-quote: 47 bytes');
  });

  it('fits into what every link takes', () => {
    expect(error4({ quoted: 576 - 28 })).toBe('');
    expect(error4({ quoted: 576 - 27 })).toBe('reply/long-quote: 577 bytes');
    expect(error6(1, { quoted: 1280 - 48 })).toBe('');
    expect(error6(1, { quoted: 1500 })).toBe('reply/long-quote: 1548 bytes');
  });
});

describe('the MTU of a packet that was too long', () => {
  const mtu4 = (mtu: number, came = came4): string => error4({ code: 4, rest: [0, 0, ...u16(mtu)], came });
  const mtu6 = (mtu: number, came = came6): string =>
    error6(2, { rest: [...u16(mtu >>> 16), ...u16(mtu & 0xffff)], came });

  it('is less than the packet’s length', () => {
    expect(mtu4(1400)).toBe('');
    expect(mtu4(1499)).toBe('');
    expect(mtu4(1500)).toBe('reply/mtu: 1500');
    expect(mtu6(1400)).toBe('');
    expect(mtu6(1500)).toBe('reply/mtu: 1500');
  });

  it('is in network order', () => {
    expect(mtu4(0x7805)).toBe('reply/mtu: 30725');
    expect(mtu6(0x78050000)).toBe(`reply/mtu: ${0x78050000}`);
    expect(mtu4(0x0005)).toBe('reply/mtu: 5');
  });

  it('is one that a link may have', () => {
    expect(mtu4(0)).toBe('reply/mtu: 0');
    expect(mtu4(67)).toBe('reply/mtu: 67');
    expect(mtu4(68)).toBe('');
    expect(mtu6(0)).toBe('reply/mtu: 0');
    expect(mtu6(1279)).toBe('reply/mtu: 1279');
    expect(mtu6(1280)).toBe('');
  });

  it('is no matter for other errors, nor a number for frames with more behind the packet', () => {
    expect(error4({ code: 3, rest: [0, 0, 0, 0] })).toBe('');
    expect(error6(3, { rest: [0, 0, 0, 0] })).toBe('');
    const padded = bytes(ipv4(17, udp(data(20))), data(1200));
    expect(mtu4(1000, padded)).toBe('');
    expect(mtu4(0, padded)).toBe('reply/mtu: 0');
  });
});
