import { expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import { data, ethernet, ipv4, PASSED, u16, udp } from '../test-support/packets.ts';
import { ttl, wrappedRow } from './ttl.ts';

const pair = new FramePair();
const LENGTH = 16;
const TTL = 22;
const datagram = ethernet(0x0800, ipv4(17, udp(data(20))));

function edit(packet: Uint8Array, ...changes: [at: number, ...values: number[]][]): Uint8Array {
  const copy = packet.slice();
  for (const [at, ...values] of changes) copy.set(values, at);
  return copy;
}

/** What is said of a TTL that goes from one value to another. */
function verdict(packet: Uint8Array, from: number, to: number): string {
  const before = edit(packet, [TTL, from]);
  const after = edit(packet, [TTL, to]);
  if (!pair.set(before, 0, before.length, after, 0, after.length)) return '';
  const wrapped = wrappedRow(pair) < 0 ? [] : ['ttl/wrapped'];
  return [ttl.judge(pair, PASSED)?.invariant ?? '', ...wrapped].join('');
}

it.each([
  ['lowered to 0', 1, 0, 'ttl/expired'],
  ['set to 0', 64, 0, 'ttl/expired'],
  ['lowered', 2, 1, ''],
  ['lowered below 0', 0, 255, 'ttl/wrapped'],
] as const)('a TTL that is %s', (_, from, to, found) => {
  expect(verdict(datagram, from, to)).toBe(found);
});

it('is not judged where contradictory lengths leave open which header is which', () => {
  const header = datagram.slice(14, 34);
  const around = (packet: Uint8Array): Uint8Array =>
    Uint8Array.from([...packet.subarray(0, 14), ...edit(header, [TTL - 14, 0]), ...packet.subarray(14)]);
  const judged = (before: Uint8Array): string => {
    const after = around(before);
    if (!pair.set(before, 0, before.length, after, 0, after.length)) return '';
    return ttl.judge(pair, PASSED)?.invariant ?? '';
  };
  for (const length of [0, 19, 2000]) {
    const broken = edit(datagram, [LENGTH, ...u16(length)]);
    expect(judged(broken)).toBe('');
    expect(verdict(broken, 64, 0)).toBe('ttl/expired');
  }
  expect(judged(datagram)).toBe('ttl/zero');
});
