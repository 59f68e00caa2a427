/** ICMP errors whose address was translated: with what they quote, and without. */
import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import {
  data,
  ethernet,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  PASSED,
  udp,
  V4_A,
  V4_B,
  V6_A,
  V6_B,
} from '../test-support/packets.ts';
import { ruleOf } from './rules.ts';
import { translatedQuote } from './translated-quote.ts';

const pair = new FramePair();

/** Where the address is that is to be another one. */
function judged(before: Uint8Array, after: Uint8Array): number | undefined {
  if (!pair.set(before, 0, before.length, after, 0, after.length)) return undefined;
  const breach = translatedQuote.judge(pair, PASSED);
  if (breach === undefined) return undefined;
  expect(ruleOf(breach.invariant).severity).toBe(breach.severity);
  expect(breach.against).toBeDefined();
  return breach.at;
}

type Address = readonly number[];
const HOST: Address = [192, 168, 0, 7];
const ROUTER: Address = [10, 0, 0, 254];
const UNREACHABLE = 3;

/** An error between two hosts, about a packet between two. */
function error4(
  ends: readonly [Address, Address],
  about: readonly [Address, Address],
  type = UNREACHABLE,
): Uint8Array {
  const quoted = ipv4(17, udp(data(8), ...about), { source: about[0], destination: about[1] });
  const message = icmp(type, 1, [0, 0, 0, 0], quoted);
  return ethernet(0x0800, ipv4(1, message, { source: ends[0], destination: ends[1] }));
}

describe('the quote of an ICMP error', () => {
  it('is translated with where the error goes', () => {
    const came = error4([ROUTER, V4_B], [V4_B, V4_A]);
    expect(judged(came, error4([ROUTER, HOST], [V4_B, V4_A]))).toBe(30);
    expect(judged(came, error4([ROUTER, HOST], [HOST, V4_A]))).toBeUndefined();
    expect(judged(came, error4([ROUTER, V4_B], [V4_B, V4_A], 11))).toBeUndefined();
  });

  it('is translated with where the error comes from, if that is where the packet went', () => {
    const came = error4([V4_A, V4_B], [V4_B, V4_A]);
    expect(judged(came, error4([HOST, V4_B], [V4_B, V4_A]))).toBe(26);
    expect(judged(came, error4([HOST, V4_B], [V4_B, HOST]))).toBeUndefined();
    // A router on the way has an address of its own.
    const routers = error4([ROUTER, V4_B], [V4_B, V4_A]);
    expect(judged(routers, error4([HOST, V4_B], [V4_B, V4_A]))).toBeUndefined();
  });

  it('may be of another host from the start, and is no message’s but an error’s', () => {
    const stray = error4([ROUTER, V4_B], [HOST, V4_A]);
    expect(judged(stray, error4([ROUTER, V4_A], [HOST, V4_A]))).toBeUndefined();
    const echo = error4([ROUTER, V4_B], [V4_B, V4_A], 8);
    expect(judged(echo, error4([ROUTER, HOST], [V4_B, V4_A], 8))).toBeUndefined();
  });

  it('is left alone where all is sent back with its addresses exchanged', () => {
    const came = error4([ROUTER, V4_B], [V4_B, V4_A]);
    expect(judged(came, error4([V4_B, ROUTER], [V4_B, V4_A]))).toBeUndefined();
  });

  it('is none where it is no IP packet', () => {
    const came = error4([ROUTER, V4_B], [V4_B, V4_A]);
    const left = error4([ROUTER, HOST], [V4_B, V4_A]);
    for (const frame of [came, left]) frame[42] = 0x05;
    expect(judged(came, left)).toBeUndefined();
  });

  it('is judged in IPv6, too', () => {
    const other = [...V6_A.slice(0, 15), 9];
    const error6 = (to: Address, from: Address): Uint8Array => {
      const quoted = ipv6(17, udp(data(8), from, V6_A), from, V6_A);
      return ethernet(0x86dd, ipv6(58, icmpv6(1, [0, 0, 0, 0], quoted, V6_A, to), V6_A, to));
    };
    expect(judged(error6(V6_B, V6_B), error6(other, V6_B))).toBe(38);
    expect(judged(error6(V6_B, V6_B), error6(other, other))).toBeUndefined();
  });

  it('is looked for in whole messages, right behind the IP header', () => {
    const first = (frame: Uint8Array): Uint8Array => frame.with(20, 0x20);
    const came = error4([ROUTER, V4_B], [V4_B, V4_A]);
    expect(judged(first(came), first(error4([ROUTER, HOST], [V4_B, V4_A])))).toBeUndefined();
    const extended = (to: Address): Uint8Array => {
      const quoted = ipv6(17, udp(data(8), V6_B, V6_A), V6_B, V6_A);
      const message = icmpv6(1, [0, 0, 0, 0], quoted, V6_A, to);
      return ethernet(0x86dd, ipv6(60, Uint8Array.of(58, 0, 1, 4, 0, 0, 0, 0, ...message), V6_A, to));
    };
    expect(judged(extended(V6_B), extended([...V6_A.slice(0, 15), 9]))).toBeUndefined();
  });
});
