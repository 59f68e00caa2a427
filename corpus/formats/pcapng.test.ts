import { describe, expect, it } from 'vitest';
import { bytesOf, PCAPNG_BIG_ENDIAN, PCAPNG_LITTLE_ENDIAN, readAll } from '../test-support/captures.ts';
import { AnyCaptureDecoder } from './capture.ts';
import { PcapngDecoder } from './pcapng.ts';
import { PcapngEncoder } from './pcapng-encoder.ts';

const EMPTY_SECTION = '0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000';
const ETHERNET = '01000000 14000000 0100 0000 00000000 14000000';

describe('reading pcapng', () => {
  it('reads a big-endian section: two interfaces, enhanced, obsolete and simple packets, an unknown block', () => {
    expect(readAll(PCAPNG_BIG_ENDIAN)).toEqual({
      packets: [
        {
          bytes: bytesOf('4500000102'),
          original: 9,
          nanoseconds: 101_000_001_000n,
          linkType: 101,
          interface: 1,
          comments: ['hi'],
        },
        {
          bytes: bytesOf('01020304'),
          original: 4,
          nanoseconds: 4_294_967_298n,
          linkType: 1,
          interface: 0,
          comments: [],
        },
        {
          bytes: bytesOf('a1a2a3a4'),
          original: 4,
          nanoseconds: 0n,
          linkType: 1,
          interface: 0,
          comments: [],
        },
      ],
      error: undefined,
    });
  });

  it('reads a little-endian section with binary time resolution; a simple packet is cut at the snapshot length', () => {
    const { packets, error } = readAll(PCAPNG_LITTLE_ENDIAN);
    expect(error).toBeUndefined();
    expect(packets.map(({ bytes, original, nanoseconds }) => [bytes, original, nanoseconds])).toEqual([
      [bytesOf('b1b2b3'), 5, 0n],
      [bytesOf('c1'), 1, 1_500_000_000n],
    ]);
  });

  it('numbers interfaces anew and changes byte order where a section begins', () => {
    const both = new Uint8Array([...PCAPNG_BIG_ENDIAN, ...PCAPNG_LITTLE_ENDIAN]);
    expect(readAll(both)).toEqual({
      packets: [...readAll(PCAPNG_BIG_ENDIAN).packets, ...readAll(PCAPNG_LITTLE_ENDIAN).packets],
      error: undefined,
    });
  });

  it('gives the comments and options of section and interfaces', () => {
    const decoder = new PcapngDecoder();
    decoder.push(PCAPNG_BIG_ENDIAN);
    expect(decoder.next()?.section).toEqual({
      format: 'pcapng',
      littleEndian: false,
      offset: 0,
      comments: ['hello'],
      os: 'Linux',
      interfaces: [
        {
          linkType: 1,
          snapLength: 262_144,
          ticksPerSecond: 1_000_000_000n,
          timeOffset: 0n,
          name: 'eth0',
          comments: ['lan'],
        },
        { linkType: 101, snapLength: 3, ticksPerSecond: 1_000_000n, timeOffset: 100n, comments: [] },
      ],
    });
  });

  it('shows a section without packets as one batch without packets', () => {
    const decoder = new AnyCaptureDecoder();
    decoder.push(bytesOf(`${EMPTY_SECTION} ${EMPTY_SECTION} ${ETHERNET}`));
    decoder.end();
    const seen: [count: number, interfaces: number][] = [];
    for (let batch = decoder.next(); batch !== undefined; batch = decoder.next()) {
      seen.push([batch.count, batch.section.interfaces.length]);
    }
    expect(seen).toEqual([
      [0, 0],
      [0, 1],
    ]);
  });

  it('lets an unknown block of nearly 4 GiB pass by without holding it', () => {
    const decoder = new PcapngDecoder();
    const length = 0xffff_fffc;
    decoder.push(bytesOf(`${EMPTY_SECTION} ${ETHERNET} 00000010 fcffffff`));
    expect(decoder.next()).toBeUndefined();
    const zeros = new Uint8Array(64 * 1024 * 1024);
    for (let left = length - 12; left > 0; left -= zeros.length) {
      decoder.push(zeros.subarray(0, Math.min(left, zeros.length)));
      expect(decoder.next()).toBeUndefined();
    }
    decoder.push(bytesOf('fcffffff 06000000 24000000 00000000 00000000 00000000 01000000 01000000 c1000000'));
    decoder.push(bytesOf('24000000'));
    const batch = decoder.next();
    expect(batch?.count).toBe(1);
    expect(batch!.base + batch!.offset[0]!).toBe(28 + 20 + length + 28);
  });

  it.each([
    [
      'a file cut in a packet',
      `${EMPTY_SECTION} ${ETHERNET} 06000000 24000000 0000`,
      48,
      'block of at least 12',
    ],
    [
      'a file cut behind a block head',
      `${EMPTY_SECTION} ${ETHERNET} 06000000 24000000 00000000`,
      48,
      'a block of 36 bytes, found the end of the file after 12 bytes',
    ],
    [
      'a file cut in an unknown block',
      `${EMPTY_SECTION} 00000010 ff000010 00000000`,
      28 + 4,
      'a length that fits the block, a multiple of 4, found 268435711',
    ],
    [
      'an unknown block that never ends',
      `${EMPTY_SECTION} 00000010 fcffffff 00000000`,
      40,
      'expected 4294967280 more bytes of a block of 4294967292, found the end of the file',
    ],
    [
      'an unknown block whose second length is another',
      `${EMPTY_SECTION} 00000010 10000000 00000000 14000000`,
      40,
      "the block's length 16 once more at its end, found 20",
    ],
    [
      'a packet block of 4 GiB',
      `${EMPTY_SECTION} ${ETHERNET} 06000000 fcffffff 00000000`,
      52,
      'a block of at most 16777216 bytes, found 4294967292',
    ],
    ['a block shorter than its frame', `${EMPTY_SECTION} 06000000 08000000 00000000`, 32, 'found 8'],
    [
      'an enhanced packet shorter than its fields',
      `${EMPTY_SECTION} ${ETHERNET} 06000000 0c000000 0c000000`,
      52,
      'found 12',
    ],
    [
      'a packet longer than its block',
      `${EMPTY_SECTION} ${ETHERNET} 06000000 24000000 00000000 00000000 00000000 05000000 05000000 c1000000 24000000`,
      48 + 20,
      'a captured length of at most 4, found 5',
    ],
    [
      'an interface that was not described',
      `${EMPTY_SECTION} 06000000 20000000 00000000 00000000 00000000 00000000 00000000 20000000`,
      28,
      'interface 0 of 0',
    ],
    [
      'a simple packet before any interface',
      `${EMPTY_SECTION} 03000000 10000000 00000000 10000000`,
      28,
      'interface 0 of 0',
    ],
    [
      'a version from the future',
      '0a0d0d0a 1c000000 4d3c2b1a 0200 0000 ffffffffffffffff 1c000000',
      12,
      'pcapng version 1.0, found version 2.0',
    ],
    [
      'a byte-order magic in no order',
      '0a0d0d0a 1c000000 4d3c1a2b 0100 0000 ffffffffffffffff 1c000000',
      8,
      'byte-order magic',
    ],
    [
      'an option beyond its block',
      '0a0d0d0a 20000000 4d3c2b1a 0100 0000 ffffffffffffffff 0100 0500 20000000',
      24,
      'option 1 with a value of 5 bytes, found 0 bytes left',
    ],
    [
      'a time resolution of two bytes',
      `${EMPTY_SECTION} 01000000 1c000000 0100 0000 00000000 0900 0200 06000000 1c000000`,
      28 + 18,
      'interface option 9 of 1 bytes, found 2',
    ],
  ])('refuses %s', (_what, hex, offset, message) => {
    const { packets, error } = readAll(bytesOf(hex));
    expect(packets).toEqual([]);
    expect(error?.message).toContain(message);
    expect(error?.offset).toBe(offset);
  });

  it('gives the packets before a fault, then the fault, again and again', () => {
    const decoder = new PcapngDecoder();
    decoder.push(PCAPNG_LITTLE_ENDIAN);
    decoder.push(bytesOf('06000000 08000000 00000000'));
    expect(decoder.next()?.count).toBe(2);
    expect(() => decoder.next()).toThrow('found 8');
    expect(() => decoder.next()).toThrow('found 8');
  });

  it('reports malformed options of a packet when its comments are asked for', () => {
    const capture = bytesOf(
      `${EMPTY_SECTION} ${ETHERNET} 06000000 28000000 00000000 00000000 00000000 01000000 01000000 c1000000
       0100 0001 28000000`,
    );
    const [packet] = readAll(capture).packets;
    expect(packet?.bytes).toEqual(bytesOf('c1'));
    expect(packet?.comments).toMatchObject({
      offset: 48 + 32,
      expected: 'option 1 with a value of 256 bytes',
    });
  });

  it('refuses a section that describes interfaces without end', () => {
    const decoder = new PcapngDecoder();
    decoder.push(bytesOf(EMPTY_SECTION));
    const thousand = bytesOf(ETHERNET.repeat(1000));
    expect(() => {
      for (let turn = 0; turn < 66; turn++) {
        decoder.push(thousand);
        decoder.next();
      }
    }).toThrow('expected at most 65536 interfaces in a section');
  });

  it('refuses a section whose interface descriptions would fill the memory', () => {
    const encoder = new PcapngEncoder();
    encoder.section();
    const comments = Array.from({ length: 100 }, () => 'x'.repeat(65_535));
    for (let turn = 0; turn < 3; turn++) encoder.interface({ comments });
    const { error } = readAll(encoder.take());
    expect(error?.expected).toBe('interface descriptions of at most 16777216 bytes in a section');
  });
});

describe('writing pcapng', () => {
  it.each([true, false])('writes what it reads (little-endian: %s)', (littleEndian) => {
    const encoder = new PcapngEncoder();
    encoder.section({ littleEndian, comments: ['é', ''], hardware: 'h', os: 'o', application: 'a' });
    const first = encoder.interface({ ticksPerSecond: 1_000_000_000n, timeOffset: -5n, name: 'n' });
    const second = encoder.interface({
      linkType: 276,
      snapLength: 96,
      ticksPerSecond: 1n << 20n,
      fcsLength: 4,
      description: 'd',
      comments: ['c'],
    });
    encoder.packet(Uint8Array.of(9, 1, 2, 3, 9), 1, 3, 1, 2, 60, first, ['one', 'two']);
    encoder.packet(new Uint8Array(0), 0, 0, 0, 1 << 20, 0, second);

    const decoder = new PcapngDecoder();
    decoder.push(encoder.take());
    const batch = decoder.next()!;
    expect(batch.section).toEqual({
      format: 'pcapng',
      littleEndian,
      offset: 0,
      comments: ['é', ''],
      hardware: 'h',
      os: 'o',
      application: 'a',
      interfaces: [
        {
          linkType: 1,
          snapLength: 0,
          ticksPerSecond: 1_000_000_000n,
          timeOffset: -5n,
          name: 'n',
          comments: [],
        },
        {
          linkType: 276,
          snapLength: 96,
          ticksPerSecond: 1n << 20n,
          timeOffset: 0n,
          fcsLength: 4,
          description: 'd',
          comments: ['c'],
        },
      ],
    });
    expect(batch.count).toBe(2);
    expect(batch.packet(0)).toEqual(Uint8Array.of(1, 2, 3));
    expect(batch.original(0)).toBe(60);
    expect(batch.nanoseconds(0)).toBe(4_294_967_298n - 5_000_000_000n);
    expect(batch.comments(0)).toEqual(['one', 'two']);
    expect(batch.packet(1)).toEqual(new Uint8Array(0));
    expect(batch.nanoseconds(1)).toBe(1_000_000_000n);
    expect(batch.comments(1)).toEqual([]);
  });

  it('writes byte for byte what the specification draws', () => {
    const encoder = new PcapngEncoder();
    encoder.section();
    encoder.interface({ snapLength: 3, ticksPerSecond: 1024n });
    encoder.packet(Uint8Array.of(0xc1), 0, 1, 0, 1536);
    expect(encoder.take()).toEqual(
      bytesOf(`
        0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000
        01000000 20000000 0100 0000 03000000 0900 0100 8a000000 0000 0000 20000000
        06000000 24000000 00000000 00000000 00060000 01000000 01000000 c1000000 24000000`),
    );
  });

  it('refuses what no reader would take', () => {
    const encoder = new PcapngEncoder();
    encoder.section();
    expect(() => encoder.packet(new Uint8Array(1), 0, 1, 0, 0)).toThrow('interface 0 was not described');
    expect(() => encoder.interface({ ticksPerSecond: 3n })).toThrow(RangeError);
    encoder.interface();
    expect(() => encoder.packet(new Uint8Array(262_145), 0, 262_145, 0, 0)).toThrow('at most 262144');
    expect(() => encoder.section({ comments: ['x'.repeat(65_536)] })).toThrow('holds 65535 bytes');
  });
});
