/** Options that a program wrote, and those that came so. */
import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import { bytes, data, ethernet, ipv4, PASSED, u16, udp } from '../test-support/packets.ts';
import { options } from './options.ts';
import { ruleOf } from './rules.ts';

const pair = new FramePair();

/** The rule that is broken, and what was got; the frames may differ in length. */
function judged(before: Uint8Array, after: Uint8Array): string {
  if (!pair.set(before, 0, before.length, after, 0, after.length)) return '';
  const breach = options.judge(pair, PASSED);
  if (breach === undefined) return '';
  expect(ruleOf(breach.invariant).severity).toBe(breach.severity);
  return `${breach.expected}: ${breach.got}`;
}

function syn(list: readonly number[], port = 80): Uint8Array {
  const offset = (5 + list.length / 4) << 4;
  const segment = bytes(
    u16(4000),
    u16(port),
    new Array(8).fill(1),
    offset,
    2,
    [0, 9, 0, 0, 0, 0],
    list,
    data(8),
  );
  return ethernet(0x0800, ipv4(6, segment));
}

const BARE = syn([]);

describe('options of TCP', () => {
  it.each([
    ['a segment size', [2, 4, 5, 0xa0]],
    ['all that Linux sends', [2, 4, 5, 0xa0, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]],
    ['nothing behind the end', [0, 1, 2, 3]],
    ['a kind that nobody knows', [253, 4, 1, 2]],
  ])('are %s', (_, list) => expect(judged(BARE, syn(list))).toBe(''));

  it.each([
    ['of another length than their kind has', [2, 2, 5, 0xa0], '4: 2'],
    ['of length 0', [253, 0, 1, 1], '2 to 4: 0'],
    ['longer than the header', [1, 1, 253, 3], '2 to 2: 3'],
    ['without a length', [1, 1, 1, 253], '2 to 1: no length'],
  ])('cannot be read: %s', (_, list, got) => {
    expect(judged(BARE, syn(list))).toBe(got);
    expect(judged(syn([1, 1, 1, 1]), syn(list))).toBe(got);
    // They came so.
    expect(judged(syn(list), syn(list, 81))).toBe('');
  });
});

it('options of IPv4 have lengths, too', () => {
  const packet = (list: readonly number[], ttl = 64): Uint8Array =>
    ethernet(0x0800, ipv4(17, udp(data(8)), { options: list, ttl }));
  expect(judged(packet([1, 1, 1, 1]), packet([148, 4, 0, 0]))).toBe('');
  expect(judged(packet([1, 1, 1, 1]), packet([148, 0, 0, 0]))).toBe('2 to 4: 0');
  expect(judged(packet([148, 0, 0, 0]), packet([148, 0, 0, 0], 63))).toBe('');
  // A packet in a tunnel that nobody followed: what comes to light came so.
  const inner = packet([148, 0, 0, 0]).subarray(14);
  const tunnel = ethernet(0x0800, ipv4(99, bytes(data(3), inner)));
  expect(judged(tunnel, ethernet(0x0800, bytes(inner.subarray(0, 8), 9, inner.subarray(9))))).toBe('');
});
