/** What is judged of how a frame leaves: TTLs, actions, redirects, and data of other protocols. */
import { describe, expect, it } from 'vitest';
import type { Hook } from '../../sim/runtime/actions.ts';
import { deliveryOf } from '../../sim/runtime/delivery.ts';
import { FramePair } from '../oracle/frame-pair.ts';
import { ChecksumJudge } from '../oracle/judge.ts';
import {
  bytes,
  data,
  ethernet,
  ipv4,
  ipv6,
  PASSED,
  tcp,
  u16,
  udp,
  V6_A,
  V6_B,
  vlan,
} from '../test-support/packets.ts';
import { actionInvariant } from './action.ts';
import { broken } from './broken.ts';
import type { Invariant } from './invariant.ts';
import { laterFragments } from './later-fragments.ts';
import { redirectTarget } from './redirect.ts';
import { RULES, ruleOf } from './rules.ts';
import { transports } from './transports.ts';
import { ttl, wrappedTtl } from './ttl.ts';

const pair = new FramePair();
const SENT_BACK = { ...PASSED, action: 3, delivery: 2 as const };

function judged(invariant: Invariant, before: Uint8Array, after: Uint8Array, passage = PASSED): string {
  if (!pair.set(before, 0, before.length, after, 0, after.length)) return '';
  const breach = invariant.judge(pair, passage);
  if (breach !== undefined) expect(ruleOf(breach.invariant).severity).toBe(breach.severity);
  return breach?.invariant ?? '';
}

/** The frame with other bytes from a place on. */
function edit(frame: Uint8Array, at: number, ...to: readonly number[]): Uint8Array {
  const copy = frame.slice();
  copy.set(to, at);
  return copy;
}

const TTL4 = 14 + 8;
const HOPS6 = 14 + 7;
const packet4 = ethernet(0x0800, ipv4(6, tcp(data(20))));
const packet6 = ethernet(0x86dd, ipv6(17, udp(data(20), V6_A, V6_B)));

describe('a TTL', () => {
  it('may go down by one, or be set', () => {
    expect(judged(ttl, edit(packet4, TTL4, 64), edit(packet4, TTL4, 63))).toBe('');
    expect(judged(ttl, edit(packet4, TTL4, 1), edit(packet4, TTL4, 64))).toBe('');
    expect(judged(ttl, edit(packet6, HOPS6, 2), edit(packet6, HOPS6, 1))).toBe('');
  });

  it('does not come to 0 in a packet that goes on', () => {
    expect(judged(ttl, edit(packet4, TTL4, 1), edit(packet4, TTL4, 0))).toBe('ttl/expired');
    expect(judged(ttl, edit(packet6, HOPS6, 1), edit(packet6, HOPS6, 0))).toBe('ttl/expired');
  });

  it('that goes from 0 to 255 may be set to that: who knows that it is lowered judges by itself', () => {
    const wrapped = [edit(packet4, TTL4, 0), edit(packet4, TTL4, 255)] as const;
    expect(judged(ttl, ...wrapped)).toBe('');
    expect(judged(wrappedTtl, ...wrapped)).toBe('ttl/wrapped');
    expect(judged(wrappedTtl, edit(packet6, HOPS6, 0), edit(packet6, HOPS6, 255))).toBe('ttl/wrapped');
    expect(judged(wrappedTtl, edit(packet4, TTL4, 0), edit(packet4, TTL4, 254))).toBe('');
    expect(judged(wrappedTtl, edit(packet4, TTL4, 1), edit(packet4, TTL4, 255))).toBe('');
  });

  it('of a new header is not 0, unless it was 0 or came to it before', () => {
    const outer = (ttl: number, inner: number): Uint8Array =>
      ethernet(0x0800, ipv4(4, edit(packet4, TTL4, inner).subarray(14), { ttl }));
    expect(judged(ttl, edit(packet4, TTL4, 64), outer(0, 64))).toBe('ttl/zero');
    expect(judged(ttl, edit(packet4, TTL4, 64), outer(1, 64))).toBe('');
    expect(judged(ttl, edit(packet4, TTL4, 1), outer(0, 1))).toBe('');
    expect(judged(ttl, edit(packet4, TTL4, 0), outer(0, 0))).toBe('');
    const six = edit(ethernet(0x86dd, ipv6(4, packet4.subarray(14))), HOPS6, 0);
    expect(judged(ttl, packet4, six)).toBe('ttl/zero');
    expect(judged(ttl, packet4, edit(six, HOPS6, 7))).toBe('');
  });

  it('of a header of the other version is not 0', () => {
    const translated = ethernet(0x0800, ipv4(17, udp(data(20)), { ttl: 0 }));
    expect(judged(ttl, edit(packet6, HOPS6, 64), translated)).toBe('ttl/zero');
    expect(judged(ttl, edit(packet6, HOPS6, 1), translated)).toBe('');
  });

  it('of 0 that came so is not the program’s', () => {
    const came = edit(packet4, TTL4, 0);
    expect(judged(ttl, came, edit(came, 0, 9))).toBe('');
  });
});

describe('an action', () => {
  const of = (hook: Hook, returned: number, behind?: 'devmap' | 'cpumap'): string =>
    actionInvariant(behind).judge({
      ...{ hook, action: returned, delivery: deliveryOf(hook, returned), redirect: 0 },
    })?.invariant ?? '';

  it('is one of the hook’s own', () => {
    expect([1, 2, 3, 4].map((one) => of('xdp', one))).toEqual(['', '', '', '']);
    expect([5, 31, -22, 255].map((one) => of('xdp', one))).toEqual(new Array(4).fill('action/unknown'));
    expect([-1, 0, 2, 3, 7, 8].map((one) => of('tc-ingress', one))).toEqual(new Array(6).fill(''));
    expect([9, -2].map((one) => of('tc-egress', one))).toEqual(new Array(2).fill('action/unknown'));
  });

  it('behind a redirect is one that the map knows', () => {
    const each = (behind: 'devmap' | 'cpumap'): string[] => [1, 2, 3, 4].map((one) => of('xdp', one, behind));
    expect(each('devmap')).toEqual(['', '', 'action/unknown', 'action/unknown']);
    expect(each('cpumap')).toEqual(['', '', 'action/unknown', '']);
  });

  it('of giving up is worth a note', () => {
    expect(of('xdp', 0)).toBe('action/aborted');
    expect(of('tc-ingress', 0)).toBe('');
  });
});

describe('a redirect', () => {
  const of = (hook: Hook, returned: number, calls: boolean): string =>
    redirectTarget(calls).judge({ hook, action: returned, delivery: deliveryOf(hook, returned), redirect: 0 })
      ?.invariant ?? '';

  it('has a target that a helper stored; what helpers did is not said by the action', () => {
    expect(of('xdp', 4, false)).toBe('redirect/no-target');
    expect(of('tc-ingress', 7, false)).toBe('redirect/no-target');
    expect(of('xdp', 4, true)).toBe('');
    expect(of('xdp', 2, false)).toBe('');
  });
});

describe('data of other protocols', () => {
  const esp = (payload: Uint8Array): Uint8Array => ethernet(0x0800, ipv4(50, payload));

  it('of ESP stays as it is; a shorter packet is another matter', () => {
    expect(judged(transports, esp(data(40)), esp(edit(data(40), 2, 0xff, 0xff)))).toBe('payload/overwritten');
    expect(judged(transports, esp(data(40)), esp(edit(data(36), 2, 0xff)))).toBe('');
    expect(judged(transports, packet4, edit(packet4, 40, 9))).toBe('');
  });

  const fragment = (protocol: number, payload: Uint8Array, offset = 185): Uint8Array =>
    ethernet(0x0800, ipv4(protocol, payload, { fragment: offset }));

  it('in later fragments is nobody’s header', () => {
    const written = edit(data(40), 2, ...u16(8080));
    expect(judged(laterFragments, fragment(132, data(40)), fragment(132, written))).toBe('fragments/written');
    expect(judged(laterFragments, fragment(136, data(40)), fragment(136, written))).toBe('fragments/written');
    // Behind where a header would end, programs may do as they please.
    expect(judged(laterFragments, fragment(132, data(40)), fragment(132, edit(data(40), 20, 9)))).toBe('');
    expect(judged(laterFragments, fragment(132, data(40), 0x2000), fragment(132, written, 0x2000))).toBe('');
  });

  describe('in later fragments of TCP, UDP and ICMP', () => {
    const fragment6 = (protocol: number, payload: Uint8Array, offset = 1480): Uint8Array =>
      ethernet(0x86dd, ipv6(44, bytes(protocol, 0, u16(offset), u16(0), u16(7), payload)));
    const swapped = edit(data(40), 0, ...data(4).subarray(2, 4), ...data(2));
    /** What one word gains the other one loses. */
    const updated = (first: number, second: number, was = data(40)): Uint8Array => {
      const word = (at: number): number => (was[at]! << 8) | was[at + 1]!;
      const written = edit(was, first, ...u16(word(first) + 5));
      return edit(written, second, ...u16(word(second) - 5));
    };

    it.each([
      ['UDP ports that change places', 17, swapped],
      ['a TCP port with its checksum', 6, updated(2, 16)],
      ['a UDP port with its checksum', 17, updated(2, 6)],
      ['the type of an echo with its checksum', 1, updated(0, 2)],
      ['the same of ICMPv6', 58, updated(0, 2)],
      ['addresses that an ICMP error quotes, with its checksum', 1, updated(2, 20)],
    ] as const)('is no %s, although the sum stays as it was', (_, protocol, written) => {
      expect(judged(laterFragments, fragment(protocol, data(40)), fragment(protocol, written))).toBe(
        'fragments/written',
      );
      expect(judged(laterFragments, fragment6(protocol, data(40)), fragment6(protocol, written))).toBe(
        'fragments/written',
      );
      // A first fragment has its header there, and so has a packet of a fragment header alone (RFC 6946).
      expect(
        judged(laterFragments, fragment(protocol, data(40), 0x2000), fragment(protocol, written, 0x2000)),
      ).toBe('');
      expect(judged(laterFragments, fragment6(protocol, data(40), 0), fragment6(protocol, written, 0))).toBe(
        '',
      );
    });

    it('is found inside of a tunnel, and behind one that was put in front', () => {
      const [came, left] = [fragment(17, data(40)).subarray(14), fragment(17, swapped).subarray(14)];
      const inside = (packet: Uint8Array): Uint8Array => ethernet(0x0800, ipv4(4, packet));
      expect(judged(laterFragments, inside(came), inside(left))).toBe('fragments/written');
      expect(judged(laterFragments, ethernet(0x0800, came), inside(left))).toBe('fragments/written');
      expect(judged(laterFragments, ethernet(0x0800, came), inside(came))).toBe('');
    });

    it('is left to the checksum’s judge where the sum changes', () => {
      const written = edit(data(40), 2, ...u16(8080));
      expect(judged(laterFragments, fragment(17, data(40)), fragment(17, written))).toBe('');
      expect(pair.set(fragment(17, data(40)), 0, 74, fragment(17, written), 0, 74)).toBe(true);
      expect(new ChecksumJudge().judgePair(pair)).toMatchObject({ layer: 'udp', kind: 'fragment' });
    });

    it('may stay as it is behind other addresses, a lower TTL, a tag, an option', () => {
      const came = fragment(17, data(40));
      const to = { fragment: 185, ttl: 63, destination: [192, 0, 2, 1] };
      const payload = ipv4(17, data(40), to);
      for (const left of [
        ethernet(0x0800, payload),
        vlan(7, 0x0800, payload),
        ethernet(0x0800, ipv4(17, data(40), { ...to, options: [1, 1, 1, 0] })),
      ])
        expect(judged(laterFragments, came, left)).toBe('');
    });

    it('may be written from end to end, or behind where a header would be', () => {
      const reversed = data(40).toReversed();
      const words = Uint8Array.from(reversed, (_, at) => reversed[at ^ 1]!);
      expect(judged(laterFragments, fragment(17, data(40)), fragment(17, words))).toBe('');
      expect(judged(laterFragments, fragment(17, data(40)), fragment(17, updated(8, 20)))).toBe('');
      expect(judged(laterFragments, fragment(6, data(40)), fragment(6, updated(20, 24)))).toBe('');
    });
  });
});

it('a broken frame that is changed and passed on is worth a note', () => {
  const longer = edit(packet4, 16, 0xff, 0xff);
  expect(judged(broken, longer, edit(longer, 0, 9))).toBe('untouched/broken');
  expect(judged(broken, longer, edit(longer, 0, 9), SENT_BACK)).toBe('');
  expect(judged(broken, packet4, edit(packet4, 0, 9))).toBe('');
});

describe('the register', () => {
  it('has every identifier once, in groups that stand together', () => {
    const ids = RULES.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { id, title, why } of RULES) {
      expect(id).toMatch(/^[a-z-]+\/[a-z0-9-]+$/);
      expect(title).not.toMatch(/\.$/);
      expect(why).toMatch(/[.)]$/);
    }
  });
});
