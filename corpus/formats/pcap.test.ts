import { describe, expect, it } from 'vitest';
import { bytesOf, readAll } from '../test-support/captures.ts';
import { PcapDecoder, PcapEncoder } from './pcap.ts';

const LITTLE = 'd4c3b2a1 0200 0400 00000000 00000000 00000400 01000000';
const BIG = 'a1b2c3d4 0002 0004 00000000 00000000 00040000 00000001';

describe('reading pcap', () => {
  it.each([
    [
      'little-endian with microseconds',
      `${LITTLE} 02000000 07000000 03000000 3c000000 0a0b0c`,
      2_000_007_000n,
    ],
    ['big-endian with microseconds', `${BIG} 00000002 00000007 00000003 0000003c 0a0b0c`, 2_000_007_000n],
    [
      'little-endian with nanoseconds',
      `4d3cb2a1 ${LITTLE.slice(9)} 02000000 07000000 03000000 3c000000 0a0b0c`,
      2_000_000_007n,
    ],
    [
      'big-endian with nanoseconds',
      `a1b23c4d ${BIG.slice(9)} 00000002 00000007 00000003 0000003c 0a0b0c`,
      2_000_000_007n,
    ],
  ])('reads %s', (_what, hex, nanoseconds) => {
    expect(readAll(bytesOf(hex))).toEqual({
      packets: [
        { bytes: bytesOf('0a0b0c'), original: 60, nanoseconds, linkType: 1, interface: 0, comments: [] },
      ],
      error: undefined,
    });
  });

  const FRAME = { bytes: bytesOf('0a0b0c'), original: 60, linkType: 1, interface: 0, comments: [] };

  it.each([
    [
      'little-endian',
      `34cdb2a1 ${LITTLE.slice(9)} 02000000 07000000 03000000 3c000000 01000000 0800 00 00 0a0b0c`,
    ],
    ['big-endian', `a1b2cd34 ${BIG.slice(9)} 00000002 00000007 00000003 0000003c 00000001 0800 00 00 0a0b0c`],
  ])('reads the longer headers of Kuznetzov’s libpcap, %s', (_what, hex) => {
    expect(readAll(bytesOf(hex)).packets).toEqual([{ ...FRAME, nanoseconds: 2_000_007_000n }]);
  });

  it.each([
    ['2.2, which has the lengths exchanged', '0200 0200', '3c000000 03000000'],
    ['2.3, with the lengths exchanged', '0200 0300', '3c000000 03000000'],
    ['2.3, with the lengths in order', '0200 0300', '03000000 3c000000'],
  ])('reads version %s', (_what, version, lengths) => {
    const hex = `${LITTLE.replace('0200 0400', version)} 02000000 07000000 ${lengths} 0a0b0c`;
    expect(readAll(bytesOf(hex)).packets).toEqual([{ ...FRAME, nanoseconds: 2_000_007_000n }]);
  });

  it('tells link type, snapshot length and frame check sequence, in a batch without packets if there are none', () => {
    const decoder = new PcapDecoder();
    decoder.push(bytesOf('d4c3b2a1 0200 0400 00000000 00000000 60000000 65000024'));
    expect(decoder.next()).toBeUndefined();
    decoder.end();
    const batch = decoder.next();
    expect(batch?.count).toBe(0);
    expect(batch?.section).toEqual({
      format: 'pcap',
      littleEndian: true,
      offset: 0,
      comments: [],
      interfaces: [
        {
          linkType: 101,
          snapLength: 96,
          ticksPerSecond: 1_000_000n,
          timeOffset: 0n,
          fcsLength: 4,
          comments: [],
        },
      ],
    });
    expect(decoder.next()).toBeUndefined();
  });

  it.each([
    [
      'an empty file',
      '',
      0,
      'expected the magic number of a pcap, pcapng or snoop file, found an empty file',
    ],
    ['three bytes', 'd4c3b2', 0, 'found d4 c3 b2 and the end of the file'],
    ['another kind of file', '7f454c46 02010100', 0, 'found 7f 45 4c 46'],
    [
      'half a file header',
      LITTLE.slice(0, 30),
      0,
      'a pcap file header of 24 bytes, found the end of the file',
    ],
    [
      'an old version',
      LITTLE.replace('0200 0400', '0100 0400'),
      4,
      'at byte 4: expected pcap version 2.0 to 2.4, found version 1.4',
    ],
    [
      'half a packet header',
      `${LITTLE} 0000`,
      24,
      'a packet header of 16 bytes, found the end of the file after 2 bytes',
    ],
    [
      'half a packet',
      `${LITTLE} 00000000 00000000 03000000 03000000 0a0b`,
      24,
      'a packet of 3 bytes behind its header of 16, found the end of the file after 18 bytes',
    ],
    [
      'a packet of 4 GiB',
      `${LITTLE} 00000000 00000000 ffffffff ffffffff 0a0b`,
      32,
      'a captured length of at most 262144, found 4294967295',
    ],
  ])('refuses %s', (_what, hex, offset, message) => {
    const { packets, error } = readAll(bytesOf(hex));
    expect(packets).toEqual([]);
    expect(error?.message).toContain(message);
    expect(error?.offset).toBe(offset);
  });

  it('gives the packets before a fault, then the fault', () => {
    const { packets, error } = readAll(
      bytesOf(`${LITTLE} 00000000 00000000 01000000 01000000 0a 00000000 00000000 00000004 01000000 0b`),
    );
    expect(packets.map(({ bytes }) => bytes)).toEqual([bytesOf('0a')]);
    expect(error?.offset).toBe(24 + 17 + 8);
  });
});

describe('writing pcap', () => {
  it.each([
    [{}, `${LITTLE} 02000000 07000000 03000000 3c000000 0a0b0c`],
    [{ littleEndian: false }, `${BIG} 00000002 00000007 00000003 0000003c 0a0b0c`],
    [
      { littleEndian: false, nanoseconds: true, snapLength: 96, linkType: 101 },
      'a1b23c4d 0002 0004 00000000 00000000 00000060 00000065 00000002 00000007 00000003 0000003c 0a0b0c',
    ],
  ])('writes byte for byte what the specification draws: %o', (options, hex) => {
    const encoder = new PcapEncoder(options);
    encoder.packet(bytesOf('ff0a0b0cff'), 1, 3, 2, 7, 60);
    expect(encoder.take()).toEqual(bytesOf(hex));
  });

  it('refuses a packet that no reader would take', () => {
    expect(() => new PcapEncoder().packet(new Uint8Array(262_145), 0, 262_145, 0, 0)).toThrow(RangeError);
  });
});
