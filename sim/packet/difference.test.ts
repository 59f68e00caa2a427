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

  /** Each difference in a line. */
  const lines = (left: Uint8Array, right: Uint8Array, protocol?: string): string[] =>
    difference(left, right, protocol).map(
      ({ path, left: a = '-', right: b = '-', leftRange: l, rightRange: r }) =>
        [
          path,
          `${a} ${l ? `${l.from}-${l.to}` : ''}`.trim(),
          `${b} ${r ? `${r.from}-${r.to}` : ''}`.trim(),
        ].join(' | '),
    );
  const udp = (more: Parameters<build.LayerStack['udp']>[0], ...data: number[]): Uint8Array =>
    build.packet
      .udp({ checksum: 0, length: 99, ...more })
      .payload(Uint8Array.from(data))
      .bytes();

  it('of payloads is in runs, counted from the start of each', () => {
    expect(lines(udp({}, 1, 2, 3, 4, 5), udp({}, 1, 9, 9, 4, 9), 'udp')).toEqual([
      'bytes 9–10 | 0203 9-11 | 0909 9-11',
      'byte 12 | 05 12-13 | 09 12-13',
    ]);
    expect(lines(udp({}, 1, 2), udp({}, 3), 'udp')).toEqual([
      'byte 8 | 01 8-9 | 03 8-9',
      'length | 10 bytes | 9 bytes',
    ]);
    expect(lines(udp({}), udp({}, 3), 'udp')).toEqual([
      'payload | - | 1 byte: 03 8-9',
      'length | 8 bytes | 9 bytes',
    ]);
  });

  it('is in order of places, the length last', () => {
    expect(lines(udp({ sourcePort: 1, checksum: 5 }, 1), udp({ destinationPort: 7 }, 2, 3), 'udp')).toEqual([
      'udp.sourcePort | 1 0-2 | 40000 0-2',
      'udp.destinationPort | 9 2-4 | 7 2-4',
      'udp.checksum | 0x0005 6-8 | 0x0000 6-8',
      'byte 8 | 01 8-9 | 02 8-9',
      'length | 9 bytes | 10 bytes',
    ]);
  });

  it('is a layer that one of them lacks, and an option that one of them lacks', () => {
    const tagged = build.frame(
      build.ethernet({ etherType: 0x8100 }),
      build.vlan({ id: 7 }),
      new Uint8Array(2),
    );
    const plain = build.frame(build.ethernet({ etherType: 0x8100 }));
    expect(lines(tagged, plain)).toEqual([
      'vlan | ID 7, priority 0 14-18 | -',
      'payload | 2 bytes: 0000 18-20 | -',
      'length | 20 bytes | 14 bytes',
    ]);
    expect(lines(plain, tagged)).toEqual([
      'vlan | - | ID 7, priority 0 14-18',
      'payload | - | 2 bytes: 0000 18-20',
      'length | 14 bytes | 20 bytes',
    ]);
    const option = (...options: { type: number }[]): Uint8Array =>
      build.frame(build.ipv4({ options, checksum: 0, totalLength: 24 }));
    expect(
      lines(option({ type: 1 }, { type: 1 }), option({ type: 1 }), 'ipv4').map((line) => line.split(' ')[0]),
    ).toContain('ipv4.option2');
  });

  it('is told in bytes where the text is the same', () => {
    // Two TTLs of options that show the same text: 2 bytes of data behind an option that nobody knows.
    const frame = (bytes: number[]): Uint8Array => build.frame(build.ethernet(), Uint8Array.from(bytes));
    expect(lines(frame(Array(20).fill(1)), frame([...Array(19).fill(1), 2]))).toEqual([
      'byte 33 | 01 33-34 | 02 33-34',
    ]);
  });

  it('is aligned as text, with names of the sides', () => {
    const text = differenceToText(difference(udp({ sourcePort: 1 }, 1), udp({ sourcePort: 2 }), 'udp'));
    expect(text.split('\n')).toEqual([
      'udp.sourcePort  left 1  right 2',
      'payload         left 1 byte: 01  right (absent)',
      'length          left 9 bytes  right 8 bytes',
    ]);
    expect(differenceToText([])).toBe('');
  });
});
