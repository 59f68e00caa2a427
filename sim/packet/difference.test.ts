import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import './test-support/arbitraries.ts';
import * as build from './build.ts';
import { difference, differenceToText } from './difference.ts';

const paths = (left: Uint8Array, right: Uint8Array): string[] =>
  difference(left, right).map(({ path }) => path);

describe('a difference', () => {
  it('names fields as their layers have them', () => {
    const left = build.frame(build.ethernet(), build.ipv4(), build.echoRequest());
    const right = build.frame(build.ethernet(), build.ipv4(), build.echoRequest({ checksum: 0x1234 }));
    expect(difference(left, right)).toEqual([
      {
        path: 'icmp.checksum',
        label: 'Checksum',
        left: '0xf7fd',
        right: '0x1234',
        leftRange: { from: 36, to: 38 },
        rightRange: { from: 36, to: 38 },
      },
    ]);
    expect(differenceToText(difference(left, right), { left: 'model', right: 'vm' })).toBe(
      'icmp.checksum  model 0xf7fd  vm 0x1234',
    );
  });

  it('tells bit fields of one byte apart', () => {
    const frame = (id: number, priority: number): Uint8Array =>
      build.frame(build.ethernet(), build.vlan({ id, priority }), new Uint8Array(4));
    expect(paths(frame(1, 2), frame(1, 3))).toEqual(['vlan.priority']);
    expect(paths(frame(1, 2), frame(2, 3))).toEqual(['vlan.priority', 'vlan.id']);
  });

  it('reaches into inner packets', () => {
    const frame = (ttl: number): Uint8Array =>
      build.frame(
        build.ethernet(),
        build.ipv4(),
        build.icmp({ type: 3, checksum: 0 }),
        build.ipv4({ ttl, checksum: 0 }),
        build.udp(),
      );
    expect(paths(frame(1), frame(2))).toEqual(['ipv4#2.ttl']);
  });

  it('takes a pushed tag for one change, and not for all bytes behind it', () => {
    const left = build.frame(build.ethernet(), build.ipv4(), build.udp(), Uint8Array.of(1, 2, 3));
    const right = build.frame(
      build.ethernet(),
      build.vlan(),
      build.ipv4(),
      build.udp(),
      Uint8Array.of(1, 9, 3),
    );
    expect(paths(left, right)).toEqual(['ethernet.etherType', 'vlan', 'udp.checksum', 'byte 43', 'length']);
  });

  it('falls back to ranges of bytes where decoding does not reach', () => {
    const frame = (...bytes: number[]): Uint8Array => build.frame(build.ethernet(), Uint8Array.from(bytes));
    expect(difference(frame(1, 2, 3, 4, 5), frame(1, 9, 9, 4, 6))).toEqual([
      {
        path: 'bytes 15–16',
        label: 'Bytes',
        left: '0203',
        right: '0909',
        leftRange: { from: 15, to: 17 },
        rightRange: { from: 15, to: 17 },
      },
      expect.objectContaining({ path: 'byte 18', left: '05', right: '06' }),
    ]);
  });

  it('is empty if and only if the bytes are the same, whatever they are', () => {
    const seed = build.frame(build.ethernet(), build.ipv6(), build.dstopts(), build.tcp(), new Uint8Array(8));
    const variant = fc
      .tuple(fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 3 }), fc.integer({ min: 0, max: 100 }))
      .map(([changes, length]) => {
        const bytes = seed.slice();
        for (const [at, byte] of changes) bytes[at] = byte;
        return bytes.subarray(0, length);
      });
    fc.assert(
      fc.property(variant, variant, fc.integer({ min: 0, max: 99 }), (left, right, at) => {
        expect(difference(left, left.slice())).toEqual([]);
        const changed = left.slice();
        if (at < changed.length) changed[at]! ^= 1;
        expect(difference(left, changed).length > 0).toBe(at < changed.length);
        const isSame = left.length === right.length && left.every((byte, index) => byte === right[index]);
        expect(difference(left, right).length === 0).toBe(isSame);
      }),
      { numRuns: 1000 },
    );
  });
});
