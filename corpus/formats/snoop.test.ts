import { describe, expect, it } from 'vitest';
import { bytesOf, readAll } from '../test-support/captures.ts';

const HEADER = '736e6f6f70000000 00000002 00000004';
/** 3 of 60 bytes, one byte of padding, 5 seconds and 7 microseconds. */
const RECORD = '0000003c 00000003 0000001c 00000000 00000005 00000007 0a0b0c 00';

describe('reading snoop (RFC 1761)', () => {
  it('reads packets, whatever pieces the file comes in', () => {
    const file = bytesOf(`${HEADER} ${RECORD} ${RECORD}`);
    const packet = {
      bytes: bytesOf('0a0b0c'),
      original: 60,
      nanoseconds: 5_000_007_000n,
      linkType: 1,
      interface: 0,
      comments: [],
    };
    for (const pieces of [[file.length], [1], [7, 30]]) {
      expect(readAll(file, pieces)).toEqual({ packets: [packet, packet], error: undefined });
    }
  });

  it.each([
    ['another version', '736e6f6f70000000 00000003 00000004', 0, 'a snoop file of version 2'],
    [
      'half a header',
      `${HEADER} 00000000`,
      16,
      'a packet header of 24 bytes, found the end of the file after 4',
    ],
    ['half a packet', `${HEADER} ${RECORD.slice(0, -6)}`, 16, 'a packet record of 28 bytes'],
    [
      'a packet longer than its record',
      `${HEADER} ${RECORD.replace('0000001c', '0000001a')}`,
      20,
      'within its record',
    ],
    [
      'a record without an end',
      `${HEADER} ${RECORD.replace('0000001c', 'ffffffff')}`,
      20,
      'within its record',
    ],
  ])('refuses %s', (_what, hex, offset, message) => {
    const { packets, error } = readAll(bytesOf(hex));
    expect(packets).toEqual([]);
    expect(error?.offset).toBe(offset);
    expect(error?.message).toContain(message);
  });

  it('shows the packets before the fault', () => {
    const { packets, error } = readAll(bytesOf(`${HEADER} ${RECORD} ${RECORD.slice(0, 30)}`));
    expect(packets).toHaveLength(1);
    expect(error?.offset).toBe(44);
  });
});
