import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import {
  bytes,
  data,
  ethernet,
  icmp,
  ipv4,
  ipv6,
  PASSED,
  tcp,
  u16,
  udp,
  V4_A,
  V4_B,
  V6_A,
  V6_B,
} from '../test-support/packets.ts';
import { fragments } from './fragments.ts';

const pair = new FramePair();

function verdict(before: Uint8Array, after: Uint8Array): string {
  if (!pair.set(before, 0, before.length, after, 0, after.length)) return '';
  return fragments.judge(pair, PASSED)?.invariant ?? '';
}

const packet = (fragment: number, payload: Uint8Array = data(64)): Uint8Array =>
  ethernet(0x0800, ipv4(6, payload, { fragment }));

/** A UDP datagram behind a fragment header with this word. */
const packet6 = (word: number): Uint8Array =>
  ethernet(0x86dd, ipv6(44, bytes(17, 0, u16(word), 0, 0, 0, 7, udp(data(40), V6_A, V6_B))));

describe('fragments', () => {
  it('are not made of a whole packet by a flag', () => {
    const whole = ethernet(0x0800, ipv4(6, tcp(data(40))));
    expect(verdict(whole, ethernet(0x0800, ipv4(6, tcp(data(40)), { fragment: 0x2000 })))).toBe(
      'fragments/set',
    );
    // "Don't fragment" in the wrong byte order.
    expect(verdict(whole, ethernet(0x0800, ipv4(6, tcp(data(40)), { fragment: 0x0040 })))).toBe(
      'fragments/set',
    );
    expect(verdict(whole, ethernet(0x0800, ipv4(6, tcp(data(40)), { fragment: 0x4000 })))).toBe('');
    expect(verdict(packet6(0), packet6(1))).toBe('fragments/set');
  });

  it('do not become whole, nor move', () => {
    expect(verdict(packet(0x2000), packet(0))).toBe('fragments/cleared');
    expect(verdict(packet(0x2010), packet(0x0010))).toBe('fragments/changed');
    expect(verdict(packet(0x0010), packet(0x0011))).toBe('fragments/changed');
    expect(verdict(packet6(9), packet6(0))).toBe('fragments/cleared');
  });

  it('are told apart by their flag where they do not move', () => {
    const sentence = (before: number, after: number): string | undefined => {
      const [came, left] = [packet(before), packet(after)];
      pair.set(came, 0, came.length, left, 0, left.length);
      const breach = fragments.judge(pair, PASSED);
      return breach && `${breach.expected} / ${breach.got}`;
    };
    expect(sentence(0x2010, 0x0010)).toBe(
      'a fragment at offset 128 with more to follow / the last fragment, at offset 128',
    );
    expect(sentence(0x0010, 0x2010)).toBe(
      'the last fragment, at offset 128 / a fragment at offset 128 with more to follow',
    );
    expect(sentence(0x2010, 0x0011)).toBe('a fragment at offset 128 / a fragment at offset 136');
    expect(sentence(0x2000, 0x2010)).toBe('a first fragment / a fragment at offset 128');
  });

  it('may be cut, tunnelled and quoted', () => {
    // A packet that is cut into fragments gets shorter.
    expect(verdict(packet(0, data(64)), packet(0x2000, data(32)))).toBe('');
    const fragment = packet(0x2010);
    expect(verdict(fragment, ethernet(0x0800, ipv4(4, fragment.slice(14))))).toBe('');
    expect(verdict(ethernet(0x0800, ipv4(4, fragment.slice(14))), fragment)).toBe('');
    const error = ethernet(0x0800, ipv4(1, icmp(11, 0, [0, 0, 0, 0], fragment.slice(14, 42))));
    expect(verdict(fragment, error)).toBe('');
    const whole = packet(0);
    expect(verdict(whole, ethernet(0x0800, ipv4(4, whole.slice(14), { fragment: 0x0040 })))).toBe(
      'fragments/set',
    );
  });

  it('are none around a fragment that lies inside as a whole', () => {
    const around = (fragment: Uint8Array, word: number): Uint8Array =>
      ethernet(0x0800, ipv4(4, fragment.slice(14), { fragment: word, source: [192, 0, 2, 1] }));
    const routed = (fragment: Uint8Array): Uint8Array => {
      const copy = fragment.slice();
      copy[22]!--;
      return copy;
    };
    for (const came of [0x2000, 0x2010, 0x0010]) {
      const fragment = packet(came);
      for (const inside of [fragment, routed(fragment)]) {
        expect([came, verdict(fragment, around(inside, came))]).toEqual([came, 'fragments/set']);
        expect([came, verdict(fragment, around(inside, 0x4000))]).toEqual([came, '']);
      }
    }
    const six = packet6(0x0011);
    expect(verdict(six, ethernet(0x0800, ipv4(41, six.slice(14), { fragment: 0x0002 })))).toBe(
      'fragments/set',
    );
  });

  it('are none around one behind an Ethernet header in UDP, on any port', () => {
    const around = (fragment: Uint8Array, word: number): Uint8Array =>
      ethernet(0x0800, ipv4(17, udp(fragment, V4_A, V4_B, 7777), { fragment: word }));
    for (const came of [0x2000, 0x2010, 0x0010]) {
      const fragment = ethernet(0x0800, ipv4(17, data(64), { fragment: came }));
      expect([came, verdict(fragment, around(fragment, came))]).toEqual([came, 'fragments/set']);
      expect([came, verdict(fragment, around(fragment, 0x4000))]).toEqual([came, '']);
    }
  });

  it('stay what they are behind labels', () => {
    const fragment = packet(0x2010);
    const labels = data(20).map((_, at) => (at === 18 ? 1 : 0));
    const pushed = ethernet(0x8847, bytes(labels, fragment.slice(14)));
    expect(verdict(fragment, pushed)).toBe('');
  });

  it('stay fragments where they are translated', () => {
    const fragment4 = ethernet(0x0800, ipv4(17, data(64), { fragment: 0x2010 }));
    const inside = bytes(17, 0, u16(0x0081), 0, 0, 0, 7, data(64));
    const fragment6 = ethernet(0x86dd, ipv6(44, inside));
    expect(verdict(fragment4, fragment6)).toBe('');
    expect(verdict(fragment6, fragment4)).toBe('');
  });

  it('are no ICMP errors, whatever these are about', () => {
    const BACK = { source: V4_B, destination: V4_A };
    const error = (about: Uint8Array, fragment: number): Uint8Array =>
      ethernet(0x0800, ipv4(1, icmp(3, 4, [0, 0, 2, 0x58], about.slice(14, 42)), { fragment, ...BACK }));
    for (const came of [0, 0x4000, 0x2000, 0x2010, 0x0010]) {
      const about = packet(came);
      expect([came, verdict(about, error(about, 0x2000))]).toEqual([came, 'fragments/set']);
      expect([came, verdict(about, error(about, 0x0010))]).toEqual([came, 'fragments/set']);
      expect([came, verdict(about, error(about, 0x4000))]).toEqual([came, '']);
    }
    // An error that came as a fragment is no new one, nor is an echo that holds a packet.
    const part = error(packet(0), 0x2000);
    expect(verdict(part, ethernet(0x8100, bytes(0, 5, part.slice(12))))).toBe('');
    const about = packet(0x2010);
    const echo = ipv4(1, icmp(8, 0, [0, 0, 0, 0], about.slice(14, 42)), { fragment: 0x2000, ...BACK });
    expect(verdict(about, ethernet(0x0800, echo))).toBe('');
  });
});
